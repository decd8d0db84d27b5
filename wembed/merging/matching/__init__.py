"""Two networks or more in common scales in; which neuron of one is which of the other out.

`search` is weight matching, `with_data` asks training inputs which match is best, `several` makes many networks agree.
"""

"""The networks of the real checkpoints, a file for each family, as `--module real_modules.FILE:FACTORY` takes them.

A factory gives the module and example inputs. Layers have the names that the checkpoints have.
"""

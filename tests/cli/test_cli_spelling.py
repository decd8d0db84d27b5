import pytest

from wembed.cli.spelling import spelt_as_ours


@pytest.mark.parametrize(
    ("given", "ours"),
    [
        ("experiment --small --experiment_name my_run", "experiment --small --experiment-name my_run"),
        ("experiment --experiment_name=my_run", "experiment --experiment-name=my_run"),
        ("train --model_type pca_mlp", "train --model-type pca-mlp"),
        ("train --model-type=pca_mlp", "train --model-type=pca-mlp"),
        ("train --message_passing_steps 2 --name a_b", "train --message-passing-steps 2 --name a_b"),
        ("train --gpu all --name a", "train --gpu --devices all --name a"),
        ("embed --gpu all", "embed --gpu all"),
        ("embed a_b.pt -o c_d.npz", "embed a_b.pt -o c_d.npz"),
        ("embed -- --a_b.pt", "embed -- --a_b.pt"),
        ("", ""),
    ],
)
def test_the_studys_spellings_become_ours(given, ours):
    assert spelt_as_ours(given.split()) == ours.split()

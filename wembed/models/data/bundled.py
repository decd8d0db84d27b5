"""A name in; the data set of scikit-learn's package out."""

import numpy as np

from wembed.models.data.split import Examples, split_rows

_DIABETES_CLASSES = 3


def digits() -> Examples:
    """Gives 1,797 images of 8 x 8 pixels with values 0 to 16, scaled to 0 to 1."""
    from sklearn.datasets import load_digits

    found = load_digits()
    return Examples("images", (1, 8, 8), found.data / 16.0, found.target)


def wine() -> Examples:
    """Gives 178 wines of three growers by 13 measurements."""
    from sklearn.datasets import load_wine

    return _table(*load_wine(return_X_y=True))


def breast_cancer() -> Examples:
    """Gives 569 tumours, malignant or benign, by 30 measurements."""
    from sklearn.datasets import load_breast_cancer

    return _table(*load_breast_cancer(return_X_y=True))


def iris() -> Examples:
    """Gives 150 flowers of three species by 4 measurements."""
    from sklearn.datasets import load_iris

    return _table(*load_iris(return_X_y=True))


def diabetes() -> Examples:
    """Gives 442 patients by 10 measurements; three classes: how far the disease is after a year.

    The classes are the thirds of the target over the training part: little, middling and much progression.
    """
    from sklearn.datasets import load_diabetes

    inputs, target = load_diabetes(return_X_y=True)
    train = split_rows(len(target)).train
    cuts = np.quantile(target[train], np.arange(1, _DIABETES_CLASSES) / _DIABETES_CLASSES)
    return _table(inputs, np.searchsorted(cuts, target, side="right"))


def _table(inputs: np.ndarray, labels: np.ndarray) -> Examples:  # scikit-learn has no types
    return Examples("table", inputs.shape[1:], inputs, labels)

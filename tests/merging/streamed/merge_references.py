"""The formulas of the papers in plain numpy, on whole tensors in float64."""

import numpy as np


def linear(tensors, base, name):
    return np.average(tensors, axis=0, weights=WEIGHTS)


def slerp(tensors, base, name):
    first, second = (tensor.ravel() for tensor in tensors)
    cosine = first @ second / (np.linalg.norm(first) * np.linalg.norm(second))
    if abs(cosine) > 0.9995:
        return 0.7 * tensors[0] + 0.3 * tensors[1]
    angle = np.arccos(cosine)
    return (np.sin(0.7 * angle) * tensors[0] + np.sin(0.3 * angle) * tensors[1]) / np.sin(angle)


def task(tensors, base, name):
    return base + SCALE * sum(weight * (tensor - base) for weight, tensor in zip(WEIGHTS, tensors, strict=True))


def ties(tensors, base, name):
    trimmed = []
    for tensor in tensors:
        vector = tensor - base
        kept = max(1, int(DENSITY * vector.size))
        smallest = np.sort(np.abs(vector), axis=None)[vector.size - kept]
        trimmed.append(np.where(np.abs(vector) >= smallest, vector, 0.0))
    weights = np.reshape(WEIGHTS, (-1, *[1] * base.ndim))
    weighted = weights * np.array(trimmed)
    sign = np.where(weighted.sum(0) >= 0.0, 1.0, -1.0)
    agrees = np.sign(weighted) == sign
    mean = (weighted * agrees).sum(0) / np.maximum((weights * agrees).sum(0), 1e-12)
    return base + SCALE * mean


def dare(tensors, base, name):
    total = np.zeros_like(base)
    for number, (weight, tensor) in enumerate(zip(WEIGHTS, tensors, strict=True)):
        generator = np.random.default_rng([SEED, number, *name.encode()])
        kept = generator.random(base.size, dtype=np.float32).reshape(base.shape) < DENSITY
        total += weight * np.where(kept, (tensor - base) / DENSITY, 0.0)
    return base + SCALE * total


def stock(tensors, base, name):
    vectors = [(tensor - base).ravel() for tensor in tensors]
    count = len(vectors)
    cosines = [
        vectors[i] @ vectors[j] / (np.linalg.norm(vectors[i]) * np.linalg.norm(vectors[j]))
        for i in range(count)
        for j in range(i)
    ]
    cosine = max(np.mean(cosines), 0.0)
    ratio = count * cosine / (1 + (count - 1) * cosine)
    return ratio * np.mean(tensors, axis=0) + (1 - ratio) * base


WEIGHTS = (0.7, 0.3)
DENSITY, SCALE, SEED = 0.3, 0.8, 5
FORMULAS = {"linear": linear, "slerp": slerp, "task": task, "ties": ties, "dare": dare, "stock": stock}

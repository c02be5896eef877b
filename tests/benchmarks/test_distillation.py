"""PyTorch copies of the networks and augmentations; skipped if PyTorch is not installed."""

import dataclasses

import keras
import numpy as np
import pytest
from PIL import Image

from melanoma_core.images.augmentations import AUGMENTATIONS, NO_AUGMENTATION
from melanoma_core.networks import architectures

torch = pytest.importorskip("torch", reason="PyTorch is not installed; only benchmarks need it")

from benchmarks.distillation import distillation, torch_networks  # noqa: E402
from benchmarks.distillation.torch_views import augment  # noqa: E402
from benchmarks.training import efficientnet_weights  # noqa: E402


@pytest.mark.parametrize("name", torch_networks.NAMES)
@pytest.mark.parametrize("size", [96, 112])  # 112 px is odd before its last halving
def test_embeddings_are_equal_in_pytorch_and_keras(name, size):
    torch.manual_seed(0)
    torch_network = torch_networks.Network(name, 9).eval()
    for module in torch_network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.uniform_(-0.1, 0.1)
            module.running_var.uniform_(0.05, 0.2)
    arrays = {
        str(k): array.detach().numpy()
        for k, array in enumerate(torch_networks.arrays(torch_network))
    }
    network = efficientnet_weights.backbone(arrays, name)
    network = keras.Model(network.input, keras.layers.GlobalAveragePooling2D()(network.output))
    larger = architectures.build(name, size, 9)
    keras.Model(larger.input, larger.get_layer("features").input).set_weights(network.get_weights())
    images = np.random.default_rng(0).uniform(0, 255, (2, size, size, 3)).astype(np.float32)
    expected = keras.Model(larger.input, larger.get_layer("embedding").output)(images)
    with torch.no_grad():
        scaled = torch.from_numpy(images).permute(0, 3, 1, 2) / 127.5 - 1
        embedding = torch_network.backbone(scaled).mean((2, 3)).numpy()
    assert embedding.max() > 0.1
    np.testing.assert_allclose(embedding, np.asarray(expected), atol=0.02)  # of up to 6


def photographs(size=64):
    rows, columns = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    spot = ((rows - size / 2) ** 2 + (columns - size / 2) ** 2 < (size / 5) ** 2).float()
    image = torch.stack([200 - 90 * spot, 160 - 100 * spot, 150 - 110 * spot])
    return image.expand(64, -1, -1, -1).round().to(torch.uint8)


def test_no_augmentation_changes_nothing():
    torch.manual_seed(0)
    images = photographs()
    np.testing.assert_allclose(augment(images, images, NO_AUGMENTATION), images, atol=0.01)


def test_strong_augmentations_differ_and_keep_the_lesion():
    torch.manual_seed(0)
    images = photographs()
    changed = augment(images, images, AUGMENTATIONS["strong"])
    assert changed.shape == images.shape
    assert changed.min() >= 0
    assert changed.mean((1, 2, 3)).std() > 5
    middle = changed[:, :, 28:36, 28:36].mean((1, 2, 3))
    assert (middle < changed[:, :, 20:44, 8].mean((1, 2))).float().mean() > 0.8


def test_one_photograph_in_four_is_the_compressed_one():
    torch.manual_seed(0)
    images = photographs().repeat(8, 1, 1, 1)
    config = dataclasses.replace(NO_AUGMENTATION, jpeg=40)
    changed = augment(images, torch.zeros_like(images), config)
    assert 0.15 < (changed.mean((1, 2, 3)) < 1).float().mean() < 0.35


def test_a_pack_is_read_at_the_requested_size(tmp_path):
    rng = np.random.default_rng(0)
    blobs = []
    for level in (40, 90, 140):
        path = tmp_path / f"{level}.png"
        pixels = level + rng.integers(0, 40, (90, 120, 3))
        Image.fromarray(pixels.astype(np.uint8)).save(path)
        blobs.append(distillation._webp(str(path)))
    data = np.frombuffer(b"".join(blobs), np.uint8)
    np.savez(tmp_path / "pack.npz", data=data, offset=np.cumsum([0, *map(len, blobs)]))
    pack = distillation.read(tmp_path / "pack.npz", 64)
    assert pack.plain.shape == pack.compressed.shape == (3, 3, 64, 64)
    means = pack.plain.float().mean((1, 2, 3)).tolist()
    np.testing.assert_allclose(means, [60, 110, 160], atol=3)
    difference = (pack.plain.float() - pack.compressed.float()).abs().mean((1, 2, 3))
    assert (difference > 0.1).all()
    assert (difference < 20).all()


def packed(num_files=400):
    """Arrays of a pack: two or three files per lesion, every fifth lesion for validation."""
    rng = np.random.default_rng(0)
    group = np.sort(rng.integers(0, num_files // 3, num_files))
    return {
        "label": group % 9,
        "group": group,
        "is_validation": group % 5 == 0,
        "is_first_file": np.r_[True, np.diff(group) > 0],
        "source": np.where(group % 2, "ham10000", "isic2017"),
    }


def test_no_lesion_is_in_two_folds_and_validation_is_in_none():
    photographs = distillation.Photographs(packed(), *[torch.empty(0)] * 2)
    folds, group = photographs.folds(), photographs.data["group"]
    assert set(folds[photographs.validation()]) == {-1}
    assert set(folds) == {-1, *range(distillation.NUM_FOLDS)}
    for group_id in set(group):
        assert len(set(folds[group == group_id])) == 1
    fractions = np.bincount(folds[folds >= 0]) / (folds >= 0).sum()
    assert fractions.min() > 0.2


def test_pools_of_teachers_have_only_the_files_of_their_fold():
    photographs = distillation.Photographs(packed(), *[torch.empty(0)] * 2)
    folds = photographs.folds()
    rows = np.flatnonzero(folds >= 0)
    pools = distillation._pools(photographs, rows, np.ones(9), distillation.NUM_FOLDS)
    for fold, (pool, _) in enumerate(pools):
        assert set(folds[pool.cpu().numpy()]) == {fold}
    assert sum(len(pool) for pool, _ in pools) == len(rows)


def test_figures_count_a_photograph_once():
    photographs = distillation.Photographs(packed(), *[torch.empty(0)] * 2)
    rows = np.arange(400)
    logits = 5.0 * np.eye(9)[photographs.labels]
    logits[~photographs.data["is_first_file"]] = 0  # other files are ignored
    figures = distillation.figures(logits, photographs, rows)
    assert figures["photographs"] == photographs.data["is_first_file"].sum()
    assert figures["accuracy"] == figures["melanoma_auroc"] == 1
    assert figures["isic2017_melanoma_auroc"] == 1

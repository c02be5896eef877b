"""The accelerator’s twins of networks and views; PyTorch, which they alone need, may be missing."""

import dataclasses

import keras
import numpy as np
import pytest
from PIL import Image

from melanoma_core.images.augmentations import AUGMENTATIONS, NO_AUGMENTATION
from melanoma_core.networks import architectures

torch = pytest.importorskip("torch", reason="PyTorch is not installed; benchmarks alone need it")

from benchmarks.distillation import distillation, torch_networks  # noqa: E402
from benchmarks.distillation.torch_views import views  # noqa: E402
from benchmarks.training import efficientnet_weights  # noqa: E402


@pytest.mark.parametrize("name", torch_networks.NAMES)
@pytest.mark.parametrize("size", [96, 112])  # 112 px is odd before its last halving
def test_twin_gives_the_embedding_that_keras_gives(name, size):
    torch.manual_seed(0)
    twin = torch_networks.Network(name, 9).eval()
    for module in twin.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.uniform_(-0.1, 0.1)
            module.running_var.uniform_(0.05, 0.2)
    arrays = {str(k): array.detach().numpy() for k, array in enumerate(torch_networks.arrays(twin))}
    network = efficientnet_weights.backbone(arrays, name)
    network = keras.Model(network.input, keras.layers.GlobalAveragePooling2D()(network.output))
    larger = architectures.build(name, size, 9)
    keras.Model(larger.input, larger.get_layer("features").input).set_weights(network.get_weights())
    images = np.random.default_rng(0).uniform(0, 255, (2, size, size, 3)).astype(np.float32)
    expected = keras.Model(larger.input, larger.get_layer("embedding").output)(images)
    with torch.no_grad():
        scaled = torch.from_numpy(images).permute(0, 3, 1, 2) / 127.5 - 1
        embedding = twin.backbone(scaled).mean((2, 3)).numpy()
    assert embedding.max() > 0.1
    np.testing.assert_allclose(embedding, np.asarray(expected), atol=0.02)  # of up to 6


def photographs(size=64):
    rows, columns = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    spot = ((rows - size / 2) ** 2 + (columns - size / 2) ** 2 < (size / 5) ** 2).float()
    image = torch.stack([200 - 90 * spot, 160 - 100 * spot, 150 - 110 * spot])
    return image.expand(64, -1, -1, -1).round().to(torch.uint8)


def test_views_change_nothing_where_nothing_is_to_change():
    torch.manual_seed(0)
    images = photographs()
    np.testing.assert_allclose(views(images, images, NO_AUGMENTATION), images, atol=0.01)


def test_strong_views_differ_and_keep_the_lesion():
    torch.manual_seed(0)
    images = photographs()
    changed = views(images, images, AUGMENTATIONS["strong"])
    assert changed.shape == images.shape
    assert changed.min() >= 0
    assert changed.mean((1, 2, 3)).std() > 5
    middle = changed[:, :, 28:36, 28:36].mean((1, 2, 3))
    assert (middle < changed[:, :, 20:44, 8].mean((1, 2))).float().mean() > 0.8


def test_compressed_file_is_taken_for_one_in_four():
    torch.manual_seed(0)
    images = photographs().repeat(8, 1, 1, 1)
    config = dataclasses.replace(NO_AUGMENTATION, jpeg=40)
    changed = views(images, torch.zeros_like(images), config)
    assert 0.15 < (changed.mean((1, 2, 3)) < 1).float().mean() < 0.35


def test_pack_is_read_at_the_size_asked_for(tmp_path):
    rng = np.random.default_rng(0)
    blobs = []
    for level in (40, 90, 140):
        path = tmp_path / f"{level}.png"
        pixels = level + rng.integers(0, 40, (90, 120, 3))
        Image.fromarray(pixels.astype(np.uint8)).save(path)
        blobs.append(distillation._webp(str(path)))
    data = np.frombuffer(b"".join(blobs), np.uint8)
    np.savez(tmp_path / "pack.npz", data=data, offset=np.cumsum([0, *map(len, blobs)]))
    found = distillation.read(tmp_path / "pack.npz", 64)
    assert found.plain.shape == found.compressed.shape == (3, 3, 64, 64)
    means = found.plain.float().mean((1, 2, 3)).tolist()
    np.testing.assert_allclose(means, [60, 110, 160], atol=3)
    difference = (found.plain.float() - found.compressed.float()).abs().mean((1, 2, 3))
    assert (difference > 0.1).all()
    assert (difference < 20).all()


def packed(num_files=400):
    """Files of lesions, two or three a lesion; one lesion in five is held out for validation."""
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
    for one in set(group):
        assert len(set(folds[group == one])) == 1
    shares = np.bincount(folds[folds >= 0]) / (folds >= 0).sum()
    assert shares.min() > 0.2


def test_pools_of_teachers_hold_the_files_of_their_fold_alone():
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
    logits[~photographs.data["is_first_file"]] = 0  # further files are not looked at
    found = distillation.figures(logits, photographs, rows)
    assert found["photographs"] == photographs.data["is_first_file"].sum()
    assert found["accuracy"] == found["melanoma_auroc"] == found["isic2017_melanoma_auroc"] == 1

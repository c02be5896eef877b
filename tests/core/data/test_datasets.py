"""Data sets from folders and zips, combined in a table with one row per photograph."""

from pathlib import Path

import pytest

from melanoma_core import paths
from melanoma_core.data import archives, datasets, schema, splits
from melanoma_core.errors import DatasetError
from tests.support.made_sets import HAM_HEADER, lines, made, zipped

REAL = Path(__file__).resolve().parents[4] / "shared" / "data"
needs_real_archives = pytest.mark.skipif(not REAL.is_dir(), reason="the archives are not available")


def ham(root, **diagnoses: str) -> datasets.Dataset:
    """HAM10000 with these photographs, one lesion each, of women."""
    rows = [f"HAM_{image_id},{image_id},{dx},,,female," for image_id, dx in diagnoses.items()]
    made(root, *(f"images/{image_id}.jpg" for image_id in diagnoses))
    return datasets.read(made(root, HAM10000_metadata=lines(HAM_HEADER, *rows)))


def challenge(root, year: int, part: str = "Training", **diagnoses: str) -> datasets.Dataset:
    codes = ("MEL", "NV", "BCC", "AK", "BKL", "DF", "VASC", "SCC")
    rows = [
        ",".join([image_id, *("1" if code == diagnosis else "0" for code in codes)])
        for image_id, diagnosis in diagnoses.items()
    ]
    made(root, *(f"{image_id}.jpg" for image_id in diagnoses))
    table = {f"ISIC_{year}_{part}_GroundTruth": lines(",".join(["image", *codes]), *rows)}
    return datasets.read(made(root, **table))


def folders(root, *files: str) -> datasets.Dataset:
    return datasets.read(made(root, *files))


def labels(dataset: datasets.Dataset) -> dict[str, str]:
    assert dataset.table["image_id"].is_unique
    return dict(zip(dataset.table["image_id"], dataset.table["diagnosis"], strict=True))


# Reading folders and zips


def test_a_zip_is_read_like_its_folder(tmp_path):
    root = made(tmp_path / "Moles", "wrap/Train/nevus/ISIC_1.jpg", "wrap/Test/mel/ISIC_2 (1).jpg")
    folder = datasets.read(root)
    packed = datasets.read(zipped(root, tmp_path / "Moles.zip"), tmp_path / "cache")
    assert packed.name == folder.name == "moles"
    assert packed.table.drop(columns="path").equals(folder.table.drop(columns="path"))
    assert [Path(path).read_text() for path in packed.table["path"]] == [
        "ISIC_2 (1).jpg",
        "ISIC_1.jpg",
    ]


def test_a_zip_is_unpacked_once_per_content(tmp_path, monkeypatch):
    unpacked = []
    unpack = archives.unpack
    monkeypatch.setattr(archives, "unpack", lambda *a: unpacked.append(a[0].name) or unpack(*a))
    root = made(tmp_path / "set", "nevus/ISIC_1.jpg")
    zip_path = zipped(root, tmp_path / "set.zip")
    first = datasets.read(zip_path, tmp_path / "cache")
    moved = zip_path.rename(tmp_path / "deep.zip").rename(tmp_path / "set.zip")
    assert datasets.read(moved, tmp_path / "cache").sha256 == first.sha256
    assert unpacked == ["set.zip"]
    made(root, "melanoma/ISIC_2.jpg")
    second = datasets.read(zipped(root, tmp_path / "set.zip"), tmp_path / "cache")
    assert unpacked == ["set.zip", "set.zip"]
    assert labels(second) == {"ISIC_2": "MEL", "ISIC_1": "NV"}


def test_zips_are_unpacked_into_the_configured_folder(tmp_path):
    zip_path = zipped(made(tmp_path / "set", "nevus/ISIC_1.jpg"), tmp_path / "set.zip")
    (path,) = datasets.read(zip_path).table["path"]
    assert Path(path).is_relative_to(paths.datasets_dir())


def test_an_empty_class_folder_of_a_zip_is_named(tmp_path):
    root = made(tmp_path / "set", "nevus/ISIC_1.jpg", "melanoma/")
    with pytest.raises(DatasetError, match=r"set.zip: the class folder “melanoma” has no"):
        datasets.read(zipped(root, tmp_path / "set.zip"), tmp_path / "cache")


def test_a_refused_set_keeps_its_files_and_leaves_nothing_unpacked(tmp_path):
    root = made(tmp_path / "set", "wart/ISIC_1.jpg")
    zip_path = zipped(root, tmp_path / "set.zip")
    for path in (zip_path, root):
        with pytest.raises(DatasetError, match="is not a diagnosis"):
            datasets.read(path, tmp_path / "cache")
    assert [folder for folder in (tmp_path / "cache").iterdir() if folder.is_dir()] == []
    assert zip_path.is_file()
    assert (root / "wart" / "ISIC_1.jpg").is_file()


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DatasetError, match=r"no file or folder moles.zip") as refusal:
        datasets.read(tmp_path / "moles.zip")
    assert str(tmp_path) not in str(refusal.value)


def test_the_checksum_depends_on_content_and_not_on_location(tmp_path):
    first = folders(tmp_path / "a", "nevus/ISIC_1.jpg", "melanoma/ISIC_2.jpg")
    same = folders(tmp_path / "b", "nevus/ISIC_1.jpg", "melanoma/ISIC_2.jpg")
    other_label = folders(tmp_path / "c", "nevus/ISIC_1.jpg", "nevus/ISIC_2.jpg")
    assert first.sha256 == same.sha256 != other_label.sha256
    (tmp_path / "b" / "nevus" / "ISIC_1.jpg").write_text("another size")
    assert datasets.read(tmp_path / "b").sha256 != first.sha256


# Combining


def test_a_published_table_overrules_a_folder_and_its_file_is_used(tmp_path):
    official = ham(tmp_path / "ham", ISIC_1="mel")
    filed = folders(tmp_path / "nine", "Train/nevus/ISIC_1.jpg", "Train/nevus/ISIC_2.jpg")
    for order in ([official, filed], [filed, official]):
        combined = datasets.combine(order)
        assert labels(combined) == {"ISIC_1": "MEL", "ISIC_2": "NV"}
        table = combined.table.set_index("image_id")
        assert table["source"].to_dict() == {"ISIC_1": "ham10000", "ISIC_2": "nine"}
        assert table.loc["ISIC_1", "path"] == official.table.loc[0, "path"]
        assert table.loc["ISIC_1", ["lesion_id", "sex"]].tolist() == ["HAM_ISIC_1", "female"]


def test_akiec_is_squamous_only_if_that_is_its_only_folder(tmp_path):
    official = ham(tmp_path / "ham", **{f"ISIC_{n}": "akiec" for n in range(1, 7)}, ISIC_7="nv")
    filed = folders(
        tmp_path / "nine",
        "squamous cell carcinoma/ISIC_1.jpg",
        "actinic keratosis/ISIC_2.jpg",
        *("actinic keratosis/ISIC_3.jpg", "nevus/ISIC_3.jpg"),
        *("squamous cell carcinoma/ISIC_4.jpg", "nevus/ISIC_4.jpg"),
        "nevus/ISIC_5.jpg",
        "squamous cell carcinoma/ISIC_7.jpg",
    )
    assert labels(datasets.combine([official, filed])) == {
        "ISIC_1": "SCC",
        "ISIC_2": "AK",
        "ISIC_3": "AK",
        "ISIC_4": "AK",
        "ISIC_5": "AK",
        "ISIC_6": "AK",
        "ISIC_7": "NV",
    }


def test_another_table_takes_precedence_in_splitting_akiec(tmp_path):
    official = ham(tmp_path / "ham", ISIC_1="akiec", ISIC_2="akiec", ISIC_3="akiec")
    finer = challenge(tmp_path / "2019", 2019, ISIC_1="SCC", ISIC_2="AK", ISIC_3="MEL")
    filed = folders(tmp_path / "nine", "scc/ISIC_2.jpg")
    combined = datasets.combine([official, finer, filed])
    assert labels(combined) == {"ISIC_1": "SCC", "ISIC_2": "AK"}
    assert "Left out, because published tables disagree on the diagnosis: 1." in combined.notes


def test_ids_in_the_folders_of_two_diagnoses_are_left_out_and_counted(tmp_path):
    filed = folders(
        tmp_path / "nine",
        *("nevus/ISIC_1.jpg", "melanoma/ISIC_1.jpg"),
        *("nevus/ISIC_2.jpg", "melanoma/ISIC_3.jpg"),
    )
    combined = datasets.combine([filed])
    assert labels(combined) == {"ISIC_2": "NV", "ISIC_3": "MEL"}
    assert "Left out, because they are in the folders of two diagnoses: 1." in combined.notes


def test_copies_count_once_and_stay_held_out(tmp_path):
    filed = folders(
        tmp_path / "nine", "Train/nevus/ISIC_1.jpg", "Test/nevus/ISIC_1 (1).jpg", "Train/nv/2.jpg"
    )
    combined = datasets.combine([filed])
    assert dict(combined.table[["image_id", "split"]].itertuples(index=False)) == {
        "ISIC_1": "test",
        "2": "train",
    }
    assert combined.notes == ("Duplicate files of photographs, counted once: 1.",)


def test_the_same_plain_name_in_two_sets_means_two_photographs(tmp_path):
    combined = datasets.combine(
        [folders(tmp_path / "a", "nevus/1.jpg"), folders(tmp_path / "b", "mel/1.jpg", "nv/2.jpg")]
    )
    assert labels(combined) == {"a/1": "NV", "b/1": "MEL", "2": "NV"}


def test_two_class_folder_sets_of_the_same_name_are_refused(tmp_path):
    pair = [folders(tmp_path / x / "set", "nevus/1.jpg") for x in "ab"]
    with pytest.raises(DatasetError, match="Two class-folder sets are called set"):
        datasets.combine(pair)


def test_parts_of_a_challenge_are_combined(tmp_path):
    combined = datasets.combine(
        [
            challenge(tmp_path / "a", 2019, "Training", ISIC_1="NV"),
            challenge(tmp_path / "b", 2019, "Test", ISIC_2="MEL"),
        ]
    )
    assert combined.name == "isic2019"
    assert list(combined.table["split"]) == ["train", "test"]


def test_unknown_cells_are_filled_from_another_table(tmp_path):
    combined = datasets.combine(
        [challenge(tmp_path / "2019", 2019, ISIC_1="MEL"), ham(tmp_path / "ham", ISIC_1="mel")]
    )
    (row,) = combined.table.itertuples()
    assert (row.source, row.lesion_id, row.sex) == ("isic2019", "HAM_ISIC_1", "female")


def test_patients_known_to_one_set_are_used_for_the_split(tmp_path):
    (tmp_path / "a").mkdir()
    made(tmp_path / "a", meta="image_id,patient_id\nISIC_1,IP_7\nISIC_2,IP_7\n")
    with_patients = folders(tmp_path / "a", "nevus/ISIC_1.jpg", "melanoma/ISIC_2.jpg")
    combined = datasets.combine([with_patients, ham(tmp_path / "ham", ISIC_1="nv", ISIC_3="mel")])
    patients = dict(combined.table[["image_id", "patient_id"]].itertuples(index=False))
    assert patients == {"ISIC_1": "IP_7", "ISIC_2": "IP_7", "ISIC_3": None}
    assert splits.assign(combined.table)["group_id"].nunique() == 2


def test_a_combined_set_names_its_parts(tmp_path):
    parts = [ham(tmp_path / "h", ISIC_1="bkl"), folders(tmp_path / "Nine", "nevus/ISIC_2.jpg")]
    combined = datasets.combine(parts)
    assert combined.name == "ham10000+nine"
    assert combined.license == "ham10000: CC BY-NC 4.0; nine: not stated"
    assert combined.notes[0].startswith("ham10000: “bkl” is read as Pigmented benign keratosis")
    assert tuple(combined.table.columns) == schema.COLUMNS
    assert combined.sha256 == datasets.combine(parts[::-1]).sha256


def test_files_of_the_same_photograph_in_other_sets_are_listed(tmp_path):
    official = ham(tmp_path / "h", ISIC_1="nv", ISIC_2="mel")
    nine = folders(tmp_path / "Nine", "nevus/ISIC_1.jpg", "melanoma/ISIC_1.jpg", "nevus/ISIC_3.jpg")
    combined = datasets.combine([nine, official])
    (further,) = combined.further_files.items()
    assert further[0] == "ISIC_1"
    assert [Path(path).parts[-2:] for path in further[1]] == [("melanoma", "ISIC_1.jpg")]
    assert set(combined.table["image_id"]) == {"ISIC_1", "ISIC_2", "ISIC_3"}
    assert official.further_files == {}


def test_nothing_to_combine_is_refused():
    with pytest.raises(DatasetError, match="No photograph is left"):
        datasets.combine([])


# The archives that the shipped model was trained on, if available


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    cache_dir = tmp_path_factory.mktemp("cache")
    names = ("ham10000", "isic2017", "isic9")
    return {name: datasets.read(REAL / f"{name}.zip", cache_dir) for name in names}


@needs_real_archives
def test_real_archives_have_the_published_sizes(real):
    assert {name: dataset.name for name, dataset in real.items()} == {n: n for n in real}
    assert [len(dataset.table) for dataset in real.values()] == [10_015, 2_150, 2_359]
    assert real["ham10000"].table["lesion_id"].nunique() == 7_470
    assert real["isic2017"].table["split"].value_counts().to_dict() == {"train": 2000, "val": 150}
    assert real["isic9"].table["image_id"].nunique() == 2_202
    assert real["isic9"].notes == ("Photographs filed under two diagnoses: 155.",)
    assert real["isic9"].table["split"].value_counts().to_dict() == {"train": 2241, "test": 118}


@needs_real_archives
def test_real_archives_combine_to_the_measured_counts(real):
    combined = datasets.combine(list(real.values()))
    assert labels(combined).keys() >= set(real["ham10000"].table["image_id"])
    table = splits.apply_file(combined.table, REAL / "splits.csv")

    def counts(source: str, *codes: str) -> dict[str, int]:
        chosen = table[(table["source"] == source) & table["diagnosis"].isin(codes)]
        return chosen["split"].value_counts().to_dict()

    of_ham = table[table["source"] == "ham10000"]
    assert of_ham["split"].value_counts().to_dict() == {"train": 7019, "val": 984, "test": 2012}
    num_lesions = of_ham.groupby("split")["lesion_id"].nunique().to_dict()
    assert num_lesions == {"train": 5228, "val": 747, "test": 1495}
    assert counts("ham10000", "MEL") == {"train": 792, "val": 105, "test": 216}
    assert sum(counts("ham10000", "SCC").values()) == 192
    assert sum(counts("ham10000", "AK").values()) == 135
    assert counts("isic2017", "MEL") == {"train": 298, "val": 32, "test": 74}
    assert counts("isic2017", "NV") == {"train": 1098, "val": 80, "test": 272}
    assert counts("isic2017", "SK") == {"train": 203, "val": 42, "test": 51}
    assert table["group_id"].notna().all()
    assert table.groupby("group_id")["split"].nunique().max() == 1


def test_a_named_diagnosis_completes_a_label_that_says_benign(tmp_path):
    challenge = "ISBI2016_ISIC_Part3_Training_GroundTruth"
    table = made(
        tmp_path / "table", *(f"ISIC_{n}.jpg" for n in (1, 2)),
        **{challenge: "ISIC_1,benign\nISIC_2,benign\n"},
    )  # fmt: skip
    folders = made(tmp_path / "folders", "nevus/ISIC_1.jpg", "melanoma/ISIC_2.jpg")
    combined = datasets.combine([datasets.read(table), datasets.read(folders)])
    named = dict(combined.table[["image_id", "diagnosis"]].to_numpy())
    assert named == {"ISIC_1": "NV", "ISIC_2": "BENIGN"}
    assert "Labeled by a published table against the name of their folder: 1." in combined.notes

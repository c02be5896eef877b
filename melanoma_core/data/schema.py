"""The columns of a data set's table, its splits, and the ids of its images."""

# One row per photograph, unknown cells None.
COLUMNS = (
    "image_id",
    "lesion_id",
    "diagnosis",  # one of `diagnoses.LABELS`: a code, or benign and not named
    "source",  # the data set that file and label are from
    "path",  # of the image file, absolute: for programs, never shown
    "age_approx",  # years, rounded to five by most sources
    "sex",
    "anatom_site_general",
    "split",  # one of `SPLITS`
)
PATIENT = "patient_id"
# Extra columns, each only where one row at least has it; names as in the ISIC Archive.
EXTRA_COLUMNS = (
    PATIENT,
    "fitzpatrick_skin_type",  # I to VI
    "diagnosis_confirm_type",  # such as “histopathology”
    "copyright_license",  # of the photograph, where a data set has several
    "attribution",  # whom its license asks to name
)

# Extra columns of a data set that has facts about its photographs but no files.
FILE = "file"  # path within the data set
PIXELS = "pixels"  # checksum of the decoded pixels
SIZE = ("height", "width")  # px

SPLITS = ("train", "val", "test")  # to fit weights, to choose thresholds, to measure
HELD_OUT = SPLITS[1:]  # no weights are fitted on these


def add_source(image_id: str, source: str) -> str:
    """The id with its data set as a prefix, for names that occur in several data sets.

    >>> add_source("img_1", "clinic")
    'clinic/img_1'
    """
    return f"{source}/{image_id}"


def remove_source(image_id: str, source: str) -> str:
    """The id without its data set as a prefix.

    >>> remove_source("clinic/img_1", "clinic"), remove_source("img_1", "clinic")
    ('img_1', 'img_1')
    """
    return image_id.removeprefix(add_source("", source))


def possible_ids(image_id: str, source: str) -> tuple[str, str, str]:
    """Every id that the photograph may have in another table, its own first.

    The id depends on the data sets that it was combined with. A photograph of the same name in
    another data set shares the last form: looking for all three never misses a training image,
    but may mistake a new photograph for one.
    """
    return image_id, add_source(image_id, source), remove_source(image_id, source)

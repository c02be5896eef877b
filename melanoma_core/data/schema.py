"""What a photograph is called: its name, with the data set's before it where two sets share it."""


def with_set(image_id: str, source: str) -> str:
    """The id that tells a photograph from another set's of the same name.

    >>> with_set("img_1", "clinic")
    'clinic/img_1'
    """
    return f"{source}/{image_id}"


def without_set(image_id: str, source: str) -> str:
    """The id that a photograph has where its data set stands alone.

    >>> without_set("clinic/img_1", "clinic"), without_set("img_1", "clinic")
    ('img_1', 'img_1')
    """
    return image_id.removeprefix(with_set("", source))


def forms(image_id: str, source: str) -> tuple[str, str, str]:
    """Every id that the photograph may have had in another table, its own first.

    Which one it has hangs on the data sets that it was combined with. Another set's photograph of
    that name shares the last one: looked for by all of them, what was taught is never missed, but
    a new photograph may be taken for it.
    """
    return image_id, with_set(image_id, source), without_set(image_id, source)


SPLITS = ("train", "val", "test")  # to learn from, to choose thresholds on, to measure on


HELD_OUT = SPLITS[1:]  # nothing is learnt from these


COLUMNS = (
    "image_id",
    "lesion_id",
    "diagnosis",  # code of one of the nine classes
    "source",  # the data set that file and label are from
    "path",  # of the image file, absolute: for programs, never shown
    "age_approx",  # years, rounded to five by most sources
    "sex",
    "anatom_site_general",
    "split",  # one of `configs.SPLITS`
)


PATIENT = "patient_id"  # a further column, only where the data know a patient


# Further columns of a set of facts, whose rows have no path.
FILE = "file"  # as it lies in the set


PIXELS = "pixels"  # checksum of the decoded pixels


SIZE = ("height", "width")  # px

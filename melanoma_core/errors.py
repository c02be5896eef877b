"""The errors that this package raises on purpose.

MelanomaError
├── ImageError      a photograph that cannot be assessed
├── DatasetError    a data set, table or archive that cannot be read
├── ModelError      a model that is missing, damaged or does not fit
├── JournalError    a journal that cannot be read or written
├── RunError        a training run that cannot start or go on
│   └── RunStopped  one that was asked to stop, and did
└── RecordError     a recorded measurement that is damaged

Every message says what came, what was expected and what to do. A message never holds a path of
the machine that a clinician would see: files are called by the name that the user gave them.
"""


class MelanomaError(Exception):
    """Something that the user can understand and mend; the message says how."""


class ImageError(MelanomaError):
    """A photograph was refused."""


class DatasetError(MelanomaError):
    """A data set, its table or its archive was refused."""


class ModelError(MelanomaError):
    """A model is missing, damaged, or does not fit what is asked of it."""


class RunError(MelanomaError):
    """A training run cannot start or go on."""


class JournalError(MelanomaError):
    """What was done to the models cannot be written down or read."""


class RunStopped(RunError):  # noqa: N818 - nothing went wrong
    """A training run stopped because it was asked to."""


class RecordError(MelanomaError):
    """A recorded measurement is damaged, or not of the kind that is asked for."""

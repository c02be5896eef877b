"""The errors that this package raises on purpose.

MelanomaError
├── ImageError      a photograph that cannot be assessed
├── DatasetError    a data set, table or archive that cannot be read
├── ModelError      a model that is missing, damaged or incompatible
├── JournalError    a journal that cannot be read or written
├── RunError        a training run that cannot start or continue
│   └── RunStopped  a training run that was stopped on request
└── RecordError     a recorded measurement that is damaged

Every message says what was received, what was expected and what to do. Messages are shown to users
and never contain a path on the server: files have the name that the user gave them.
"""


class MelanomaError(Exception):
    """An error that the user can understand and fix; the message says how."""


class ImageError(MelanomaError):
    """A photograph was refused."""


class DatasetError(MelanomaError):
    """A data set, its table or its archive was refused."""


class ModelError(MelanomaError):
    """A model is missing, damaged, or incompatible."""


class RunError(MelanomaError):
    """A training run cannot start or continue."""


class JournalError(MelanomaError):
    """The journal of changes to models cannot be read or written."""


class RunStopped(RunError):  # noqa: N818 - nothing went wrong
    """A training run was stopped on request."""


class RecordError(MelanomaError):
    """A recorded measurement is damaged or of another kind."""

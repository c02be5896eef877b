"""The group of all commands.

Commands import what they need when they run: `assess` answers in a fraction of the time that
TensorFlow, which only training needs, takes to load.
"""

from typing import Any

import click

from melanoma_core import __version__
from melanoma_core.cli import assess, audit, evaluate, journal, models, train
from melanoma_core.errors import MelanomaError


class _Commands(click.Group):
    """Shows an error that the user can fix as a message, without a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except MelanomaError as error:
            raise click.ClickException(str(error)) from error


@click.group(cls=_Commands)
@click.version_option(__version__, prog_name="melanoma", message="%(prog)s %(version)s")
def main() -> None:
    """Assess dermoscopic photographs; train, compare and promote models.

    Research and education; not a medical device; the decision is the clinician's.
    """


for _command in (
    assess.assess,
    audit.audit,
    evaluate.evaluate,
    train.train,
    train.train_head,
    train.ensemble,
    train.recalibrate,
    train.resume,
    models.models,
    models.card,
    models.promote,
    models.rollback,
    models.upgrade,
    journal.journal,
):
    main.add_command(_command)

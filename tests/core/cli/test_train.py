"""The commands that end in a candidate: each has the options that its recipe uses."""

from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from melanoma_core.cli.main import main
from melanoma_core.models import store
from melanoma_core.runs import plans as run_plans
from melanoma_core.runs.configs import TrainConfig
from melanoma_core.training import pipeline
from tests.support import made_models

DATA = ("--dataset", ".")
TRAIN = ("train",)
HEAD = ("train-head", "--from-model", "tiny-1")
ENSEMBLE = ("ensemble", "tiny-1", "tiny-2")
RECALIBRATE = ("recalibrate", "tiny-1")


def invoke(*arguments: object):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def stderr_of(result) -> str:
    """The message without its line breaks."""
    return " ".join(result.stderr.split())


@pytest.fixture
def runs(monkeypatch):
    """The plan, folder and author of each run that was asked for; nothing is trained."""
    asked = []
    card = SimpleNamespace(model_id="tiny-9", figures={})

    def run(plan, run_dir, models_dir, report, author):
        asked.append(SimpleNamespace(plan=plan, dir=run_dir, author=author))
        return card

    monkeypatch.setattr(pipeline, "run", run)
    return asked


def plan_of(runs, *arguments):
    """The plan of a command that is carried out."""
    result = invoke(*arguments)
    assert result.exit_code == 0, result.output
    return runs.pop().plan


def is_refused(runs, *arguments):
    """The message of a command that is refused before anything is made."""
    result = invoke(*arguments)
    assert result.exit_code in (1, 2), result.output
    assert not runs
    return stderr_of(result)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((), "Missing option '--dataset'"),
        (DATA, "The image size is 31 px"),
        (("--network", "resnet_9000"), "resnet_9000"),
    ],
)
def test_a_mistaken_training_is_refused_before_anything_is_made(
    tmp_path, monkeypatch, options, message
):
    monkeypatch.setenv("MELANOMA_RUNS", str(tmp_path / "runs"))
    result = invoke("train", *options, "--image-size", "31")
    assert result.exit_code in (1, 2)
    assert message in result.stderr
    assert not (tmp_path / "runs").exists()


def test_plan_of_each_command(runs, models_in_use, tmp_path):
    assert plan_of(runs, *TRAIN, *DATA).recipe == "full"
    for command, recipe, parents in (
        (HEAD, "head", ("tiny-1",)),
        (ENSEMBLE, "ensemble", ("tiny-1", "tiny-2")),
        (RECALIBRATE, "recalibrate", ("tiny-1",)),
    ):
        plan = plan_of(runs, *command, *DATA)
        assert (plan.recipe, plan.parents) == (recipe, parents)


def test_names_of_runs_and_authors_are_passed_on(runs, models_in_use, tmp_path):
    for command in (TRAIN, HEAD, ENSEMBLE, RECALIBRATE):
        result = invoke(*command, *DATA, "--author", "Ada", "--run-dir", tmp_path / "run-1")
        assert "Promote it with: python -m melanoma_core promote tiny-9" in result.stdout
        run = runs.pop()
        assert (run.dir, run.author) == (tmp_path / "run-1", "Ada")
    invoke(*TRAIN, *DATA)
    assert runs[0].dir.name.startswith("mobilenet-v2-20")
    assert runs[0].author is None


def test_settings_of_the_command_train(runs):
    assert plan_of(runs, *TRAIN, *DATA, "--network", "tiny").config == TrainConfig(
        network="tiny", image_size=32
    )
    options = ("--epochs", "3", "--batch-size", "7", "--learning-rate", "0.01", "--mixup", "0.2",
               "--balance", "even", "--balance-by", "weights", "--seed", "5", "--image-size", "64",
               "--init-weight", "0.5", "--clamp-color-cast", "--from-model", "tiny-1")  # fmt: skip
    plan = plan_of(runs, *TRAIN, *DATA, "--network", "tiny", *options)
    assert plan.config == TrainConfig(
        network="tiny", image_size=64, epochs=3, batch_size=7, learning_rate=0.01, mixup=0.2,
        balance="even", balance_by="weights", seed=5, init_weight=0.5, clamp_color_cast=True,
    )  # fmt: skip
    assert plan.parents == ("tiny-1",)


def test_paths_are_made_absolute_so_that_a_run_can_be_resumed_from_elsewhere(
    runs, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "drawn").mkdir()
    for name in ("splits.csv", "w.weights.h5", "teacher.csv", "masks.zip"):
        (tmp_path / name).touch()
    plan = plan_of(
        runs, *TRAIN, "--dataset", "drawn", "--splits", "splits.csv", "--weights", "w.weights.h5",
        "--teacher-probs", "teacher.csv", "--outlines", "masks.zip",
    )  # fmt: skip
    assert plan.datasets == (str(tmp_path / "drawn"),)
    assert plan.splits == str(tmp_path / "splits.csv")
    assert plan.weights == str(tmp_path / "w.weights.h5")
    assert plan.teacher_probs == str(tmp_path / "teacher.csv")
    assert plan.outlines == str(tmp_path / "masks.zip")


def test_class_weights_take_the_place_of_balancing(runs):
    for options, expected in ((("--class-weights",), (True, "none")), ((), (False, "sqrt"))):
        config = plan_of(runs, *TRAIN, *DATA, *options).config
        assert (config.class_weights, config.balance) == expected
    refused = is_refused(runs, *TRAIN, *DATA, "--class-weights", "--balance", "sqrt")
    assert "balance is “sqrt”" in refused


@pytest.mark.parametrize("command", [TRAIN, HEAD])
def test_oversampling_takes_the_place_of_balancing(command, runs, models_in_use):
    config = plan_of(runs, *command, *DATA, "--oversample-to", "40").config
    assert config.balance == "floor:40"
    refused = is_refused(runs, *command, *DATA, "--oversample-to", "40", "--balance", "none")
    assert "--oversample-to takes the place of --balance" in refused
    assert "Invalid value" in is_refused(runs, *command, *DATA, "--oversample-to", "0")


def test_files_are_cleaned_and_splits_kept_unless_told_otherwise(runs, models_in_use):
    plan = plan_of(runs, *TRAIN, *DATA)
    assert (plan.is_cleaned, plan.split_by, plan.parents) == (True, "given", ())
    options = ("--no-clean", "--split-by", "model", "--from-model", "tiny-0")
    plan = plan_of(runs, *TRAIN, *DATA, *options)
    assert (plan.is_cleaned, plan.split_by, plan.parents) == (False, "model", ("tiny-0",))


@pytest.mark.parametrize("command", [HEAD, ENSEMBLE, RECALIBRATE])
def test_photographs_are_divided_as_for_the_parent_unless_told_otherwise(
    command, runs, models_in_use, tmp_path
):
    (tmp_path / "splits.csv").touch()
    assert plan_of(runs, *command, *DATA).split_by == "model"
    assert plan_of(runs, *command, *DATA, "--split-by", "drawn").split_by == "drawn"
    # A split file overrides the method.
    plan = plan_of(runs, *command, *DATA, "--splits", tmp_path / "splits.csv")
    assert plan.splits == str(tmp_path / "splits.csv")


@pytest.mark.parametrize("command", [HEAD, ENSEMBLE, RECALIBRATE])
def test_seed_and_cleaning_are_heeded(command, runs, models_in_use):
    plan = plan_of(runs, *command, *DATA, "--seed", "3", "--no-clean")
    assert (plan.config.seed, plan.is_cleaned) == (3, False)


def test_last_layer_is_trained_on_the_champion_by_default(runs, models_in_use):
    plan = plan_of(runs, "train-head", *DATA)
    assert plan.parents == ("tiny-1",)
    assert (plan.config.network, plan.config.image_size) == ("tiny", 32)


def test_last_layer_heeds_the_balance(runs, models_in_use):
    config = plan_of(runs, *HEAD, *DATA, "--balance", "even", "--balance-by", "weights").config
    assert (config.balance, config.balance_by) == ("even", "weights")


def test_last_layer_without_a_champion_is_refused(runs, empty_models):
    assert "There is no champion yet. Name a model" in is_refused(runs, "train-head", *DATA)


def test_missing_parent_of_a_last_layer_is_named(runs, models_in_use):
    refused = is_refused(runs, "train-head", "--from-model", "absent", *DATA)
    assert "There is no model “absent”" in refused


@pytest.mark.parametrize(
    ("command", "options"),
    [
        (
            HEAD,
            ("--weights", "--init-weight", "--epochs", "--batch-size", "--learning-rate",
             "--network", "--image-size", "--class-weights", "--augment", "--mixup",
             "--teacher-probs", "--distill-weight", "--clamp-color-cast"),
        ),
        (
            ENSEMBLE,
            ("--weights", "--from-model", "--init-weight", "--epochs", "--batch-size",
             "--learning-rate", "--network", "--image-size", "--balance", "--balance-by",
             "--oversample-to", "--class-weights", "--augment", "--mixup", "--teacher-probs",
             "--distill-weight", "--clamp-color-cast"),
        ),
        (
            RECALIBRATE,
            ("--weights", "--from-model", "--init-weight", "--epochs", "--batch-size",
             "--learning-rate", "--network", "--image-size", "--balance", "--balance-by",
             "--oversample-to", "--class-weights", "--augment", "--mixup", "--teacher-probs",
             "--distill-weight"),
        ),
        (("resume", "."), ("--dataset", "--epochs", "--from-model", "--seed", "--run-dir")),
    ],
    ids=["train-head", "ensemble", "recalibrate", "resume"],
)  # fmt: skip
def test_options_that_a_recipe_does_not_heed_are_refused(command, options, runs, models_in_use):
    data = () if command[0] == "resume" else DATA
    for option in options:
        refused = is_refused(runs, *command, *data, option, "1")
        assert f"No such option '{option}'" in refused or f"No such option: {option}" in refused


@pytest.mark.parametrize(
    "arguments",
    [("ensemble",), ("ensemble", "tiny-1"), (*ENSEMBLE, "tiny-3"), ("recalibrate",)],
)
def test_wrong_number_of_models_is_refused(arguments, runs):
    assert "argument" in is_refused(runs, *arguments, *DATA)


@pytest.mark.parametrize("command", [TRAIN, HEAD, ENSEMBLE, RECALIBRATE])
def test_data_set_must_be_named(command, runs, models_in_use):
    assert "Missing option '--dataset'" in is_refused(runs, *command)


def test_color_casts_are_clamped_where_a_network_is_trained_or_recalibrated(runs):
    for command in (TRAIN, RECALIBRATE):
        for options in ((), ("--clamp-color-cast",)):
            plan = plan_of(runs, *command, *DATA, *options)
            assert plan.config.clamp_color_cast == bool(options)


def test_a_decoder_is_trained_where_outlines_are_given(runs, tmp_path):
    for command in (TRAIN, RECALIBRATE):
        assert plan_of(runs, *command, *DATA).outlines is None
        plan = plan_of(runs, *command, *DATA, "--outlines", tmp_path)
        assert plan.outlines == str(tmp_path)


def test_teacher_probabilities_have_half_the_weight_unless_told_otherwise(runs, tmp_path):
    (tmp_path / "teacher.csv").touch()
    file = ("--teacher-probs", tmp_path / "teacher.csv")
    for options, weight in (((), 0), (file, 0.5), ((*file, "--distill-weight", "0.2"), 0.2)):
        plan = plan_of(runs, *TRAIN, *DATA, *options)
        assert plan.config.distill_weight == weight
        assert plan.teacher_probs == (str(tmp_path / "teacher.csv") if options else None)


def test_run_is_resumed_with_its_own_plan(runs, tmp_path):
    run_dir = tmp_path / "run-1"
    run_plans.write_plan(run_dir, made_models.plan(tmp_path))
    assert invoke("resume", run_dir, "--author", "Bo").exit_code == 0
    (run,) = runs
    assert (run.plan, run.dir, run.author) == (made_models.plan(tmp_path), run_dir, "Bo")


def test_folder_without_a_run_cannot_be_resumed(runs, tmp_path):
    refused = is_refused(runs, "resume", tmp_path)
    assert f"“{tmp_path.name}” holds no training run" in refused


def test_command_trains_a_candidate_and_prints_its_figures(models_in_use, tmp_path):
    drawn = made_models.draw_class_folders(tmp_path / "drawn")
    result = invoke("recalibrate", "tiny-1", "--dataset", drawn, "--run-dir", tmp_path / "again")
    assert result.exit_code == 0, result.output
    assert "Run again. Stop it with Ctrl-C; resume it with: resume " in result.stdout
    assert "Candidate again; figures on the test split:" in result.stdout
    assert "melanoma_auroc" in result.stdout
    assert store.read_card(models_in_use / "again").config["recalibrated_from"] == "tiny-1"
    assert store.champion(models_in_use).model_id == "tiny-1"

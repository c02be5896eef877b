"""`python -m melanoma_core` is the command line."""

from melanoma_core.cli.main import main

if __name__ == "__main__":
    main(prog_name="python -m melanoma_core")

"""The command `slipway`: finds the command's module, runs it, prints its answer, exits."""

import sys

if sys.version_info[:2] < (3, 11) or sys.version_info[:2] > (3, 13):
    sys.stderr.write(
        "slipway: Python 3.11, 3.12 or 3.13 is needed\n"
        f"  where: {sys.executable} is {sys.version_info[0]}.{sys.version_info[1]}\n"
        "  to do: make PYTHON=python3.12 …\n"
    )
    raise SystemExit(2)

from collections.abc import Sequence

from .config import prepare_process
from .errors import SlipwayError

# not permitted, denied, is no folder, is a folder, no space, read-only, over quota
SURROUNDINGS = (1, 13, 20, 21, 28, 30, 122)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command and gives its exit code; prints every failure, in one place."""
    from . import stages

    prepare_process()
    try:
        return stages.execute(list(sys.argv[1:] if argv is None else argv)).code
    except SlipwayError as error:
        sys.stdout.flush()
        print(f"slipway: {error}", file=sys.stderr)
        return error.exit_code
    except BrokenPipeError:
        sys.stderr.close()
        return 4
    except OSError as error:
        if error.errno not in SURROUNDINGS:
            raise
        print(
            f"slipway: {error.strerror}\n  where: {error.filename}\n"
            "  to do: free space, or mend the rights there",
            file=sys.stderr,
        )
        return 4
    except KeyboardInterrupt:
        print("slipway: interrupted; run the same command again to go on", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())

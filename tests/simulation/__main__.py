"""``PYTHONPATH=.:layers/core/python python -m tests.simulation STORY [SCHEDULE]``: run one story again along a recorded
schedule, and tell it.

Without a schedule the first moves are taken; without a story of that name the stories are listed.
"""

import sys

from tests.simulation.explore import Found, replay
from tests.simulation.stories import ALL


def main(arguments: list[str]) -> int:
    if not arguments or arguments[0] not in ALL:
        sys.stdout.write("\n".join(ALL) + "\n")
        return 2
    schedule = [int(choice) for choice in arguments[1].split(",")] if len(arguments) > 1 else []
    try:
        run = replay(ALL[arguments[0]], schedule)
    except Found as found:
        sys.stdout.write(f"{found}\n")
        return 1
    sys.stdout.write("\n".join(run.simulation.trace) + "\nnothing is wrong\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

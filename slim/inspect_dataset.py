"""Shows what a converted data set holds, and whether all of it can be read.

    python inspect_dataset.py --dataset_dir=/data/flowers

Counts classes and splits, reads every record, finds pictures that repeat, and writes a page
(index.html), a sheet of labelled pictures (contact_sheet.png) and report.json. Exits with 1 if
anything is damaged.
"""

import cli
from cli import config_flags
from inspection.options import Inspection

config_flags.define(Inspection)


def main(_):
    """Inspects the data set that the flags name."""
    from inspection import report
    from progress import ProgressLog

    outcome = report.inspect(config_flags.read(Inspection), progress=ProgressLog("Read", "files"))
    print("\n".join(outcome.summary()))
    return 0 if outcome.good else 1


if __name__ == "__main__":
    cli.run(main)

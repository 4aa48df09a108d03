"""Shows what a converted dataset holds, and whether all of it can be read.

    python inspect_dataset.py --dataset_dir=/data/flowers

Counts classes and splits, reads every record, finds images that repeat, and writes a page
(index.html), a sheet of labeled images (contact_sheet.png) and report.json. Exits with 1 if
anything is damaged.
"""

from slim_internal.ground import cli
from slim_internal.ground.cli import config_flags
from slim_internal.programs.inspection.settings import Inspection

FLAGS = cli.FLAGS


@cli.entry()
def main(_):
    """Inspects the dataset that the flags name."""
    from slim_internal.ground.progress.reporting import ProgressLog
    from slim_internal.programs.inspection import inspect

    found = inspect.inspect(config_flags.read(Inspection), progress=ProgressLog())
    print("\n".join(found.summary()))
    return 0 if found.good else 1


config_flags.define(Inspection)

if __name__ == "__main__":
    cli.run(main)

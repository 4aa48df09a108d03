"""Shows what the operations of --augment make of images, on one sheet.

    preview_augmentations --augment=color_jitter,random_erasing cat.jpg dog.jpg

Each image has a row per operation: the image, then draws as training would see them.
"""

from slim_internal.ground import cli
from slim_internal.ground.cli import config_flags
from slim_internal.programs.preview.settings import Preview

FLAGS = cli.FLAGS


@cli.entry(max_arguments=100)
def main(paths):
    """Writes the sheet that the flags describe."""
    from slim_internal.programs.preview import contact_sheet

    print(contact_sheet.write(config_flags.read(Preview), paths))


config_flags.define(Preview)

if __name__ == "__main__":
    cli.run(main)

"""Writes a network as one file: the graph, with its weights if a checkpoint is given.

    python export_inference_graph.py --model_name=lenet --dataset_name=mnist \\
        --checkpoint_path=/tmp/lenet --output_file=/tmp/lenet.pb

The image goes in at the operation `input`, preprocessed; the probabilities of the classes come out
at `predictions`. A description stands beside the graph, so that classify_image needs no flags.
--format=saved_model writes a SavedModel, which also takes the contents of image files.
"""

from slim_internal.ground import cli
from slim_internal.ground.cli import config_flags
from slim_internal.programs.export.settings import Export

FLAGS = cli.FLAGS


@cli.entry()
def main(_):
    """Exports what the flags name and prints how to use it."""
    from slim_internal.programs.export import inference_graph

    exported = inference_graph.export(config_flags.read(Export))
    model = exported.model
    shape = ", ".join(map(str, ("batch", *model.example_shape)))
    print(f"Weights     {exported.checkpoint_path or 'none: give --checkpoint_path'}")
    print(f"Input       {model.input_name}:0 float32 [{shape}]")
    print(f"Output      {model.predictions_name}:0 float32 [batch, {model.num_classes}]")
    for name, comparison in exported.comparisons.items():
        print(
            f"Checked     {name}: probabilities differ by {comparison.difference:.1e} at most,"
            f" {comparison.agreement:.1%} have the same most likely class"
        )
        if comparison.accuracy is not None:
            print(
                f"{'':11} accuracy {comparison.accuracy:.4f}, the checkpoint's"
                f" {comparison.checkpoint_accuracy:.4f}, on the calibration split"
            )
    for index, path in enumerate(exported.paths):
        print(f"{'' if index else 'Written to':11} {path} ({_megabytes(path):.1f} MB)")
    if exported.description_path.exists():
        print(f"{'':11} {exported.description_path}")
    if exported.labels_path:
        print(f"{'':11} {exported.labels_path}")


def _megabytes(path):
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file()) / 1e6


config_flags.define(Export)

if __name__ == "__main__":
    cli.run(main)

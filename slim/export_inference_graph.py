"""Writes a network as one file: the graph, with its weights if a checkpoint is given.

    python export_inference_graph.py --model_name=lenet --dataset_name=mnist \\
        --checkpoint_path=/tmp/lenet --output_file=/tmp/lenet.pb

The picture goes in at the operation `input`, preprocessed; the probabilities of the classes come
out at `predictions`. A description stands beside the graph, so that classify_image needs no flags.
"""

from slim_internal.ground import cli
from slim_internal.ground.cli import config_flags
from slim_internal.programs.export.settings import Export


def main(_):
    """Exports what the flags name and prints how to use it."""
    from slim_internal.programs.export import inference_graph

    exported = inference_graph.export(config_flags.read(Export))
    model = exported.model
    shape = ", ".join(map(str, ("batch", *model.example_shape)))
    megabytes = exported.graph_path.stat().st_size / 1e6
    print(f"Weights     {exported.checkpoint_path or 'none: give --checkpoint_path'}")
    print(f"Input       {model.input_name}:0 float32 [{shape}]")
    print(f"Output      {model.predictions_name}:0 float32 [batch, {model.num_classes}]")
    print(f"Written to  {exported.graph_path} ({megabytes:.1f} MB)")
    print(f"            {exported.description_path}")


config_flags.define(Export)

if __name__ == "__main__":
    cli.run(main)

"""Evaluates a checkpoint on a split of a dataset: accuracy, recall at 5, loss.

    python eval_image_classifier.py --model_name=lenet --checkpoint_path=/tmp/lenet \\
        --dataset_name=mnist --dataset_dir=/data/mnist --dataset_split_name=test \\
        --eval_dir=/tmp/lenet/eval

Every example counts once. The result goes to the terminal, to metrics.json, to a page
(report.html) and to TensorBoard.
"""

from slim_internal.ground import cli
from slim_internal.ground.cli import config_flags
from slim_internal.programs.evaluation.settings import Evaluation

FLAGS = cli.FLAGS


@cli.entry()
def main(_):
    """Evaluates what the flags name and prints the metrics."""
    from slim_internal.parts.metrics import terminal
    from slim_internal.programs.evaluation import evaluate

    config = config_flags.read(Evaluation)
    metrics = evaluate.evaluate(config)
    terminal.Terminal().write(metrics.step, metrics.values)
    print(f"Written to  {config.eval_dir}")


config_flags.define(Evaluation)

if __name__ == "__main__":
    cli.run(main)

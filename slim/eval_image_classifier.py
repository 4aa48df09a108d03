"""Evaluates a network on a split of a dataset: how good it is, and what it gets wrong.

    python eval_image_classifier.py --model_name=lenet --checkpoint_path=/tmp/lenet \\
        --dataset_name=mnist --dataset_dir=/data/mnist --dataset_split_name=test \\
        --eval_dir=/tmp/lenet/eval

    python eval_image_classifier.py --graph=/tmp/lenet.pb --compare=/tmp/lenet/eval ...
    python eval_image_classifier.py --checkpoint_path=/tmp/lenet --watch ...

Every example counts once. The result goes to the terminal, to metrics.json, to a page
(report.html), to CSV files and to TensorBoard. docs/evaluation.md explains the numbers.
"""

from slim_internal.ground import cli
from slim_internal.ground.cli import config_flags
from slim_internal.programs.evaluation.settings import Evaluation

FLAGS = cli.FLAGS


@cli.entry()
def main(_):
    """Evaluates what the flags name and prints the metrics."""
    from slim_internal.parts.metrics import terminal
    from slim_internal.programs.evaluation import following

    config = config_flags.read(Evaluation)
    for metrics in following.run(config):
        terminal.Terminal().write(metrics.step, metrics.values)
        print(f"Written to  {config.eval_dir}", flush=True)


config_flags.define(Evaluation)

if __name__ == "__main__":
    cli.run(main)

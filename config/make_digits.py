"""Write config/data/digits from the copy of the data set that scikit-learn carries.

The result is checked in, so nobody needs to run this; it is here so that anybody can check where the
numbers come from. Running it again writes the same bytes:

    python3 -m venv /tmp/digits && /tmp/digits/bin/pip install scikit-learn
    /tmp/digits/bin/python config/make_digits.py
"""

from pathlib import Path

from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

TEST_SHARE = 0.2
SEED = 7
TARGET = Path(__file__).parent / "data" / "digits"


def write_class(path: Path, images) -> None:
    """One line per image: its 64 grey values, row by row, without a label (the file's name is the label)."""
    lines = (",".join(str(int(value)) for value in image) for image in images)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="ascii")


def main() -> None:
    images, labels = load_digits(return_X_y=True)
    parts = train_test_split(images, labels, test_size=TEST_SHARE, stratify=labels, random_state=SEED)
    train_images, test_images, train_labels, test_labels = parts
    for split, split_images, split_labels in (
        ("train", train_images, train_labels),
        ("test", test_images, test_labels),
    ):
        for digit in range(10):
            write_class(TARGET / split / f"{digit}.csv", split_images[split_labels == digit])
        print(f"{split}: {len(split_labels)} images")


if __name__ == "__main__":
    main()

"""Write data/dogImages: a stand-in with the layout of the real data set, drawn, not photographed.

`opsctl plan` needs something to read, and 8,351 photographs do not belong into a repository. The result is
checked in; data/dogImages.md says where the real ones are. Needs pillow.
"""

from pathlib import Path

from PIL import Image, ImageDraw

TARGET = Path(__file__).parent / "data" / "dogImages"
BREEDS = ("001.Affenpinscher", "002.Afghan_hound", "003.Airedale_terrier", "004.Akita", "005.Alaskan_malamute")
IMAGES = {"train": 2, "valid": 1, "test": 1}  # per breed
SIZE = (96, 72)


def draw(breed: int, number: int) -> Image.Image:
    """A round head with ears: one coat color per breed, another place per image."""
    coat = (60 + 35 * breed, 190 - 30 * breed, 50 + 20 * breed)
    x, y = 34 + 6 * number, 22 + 3 * number
    image = Image.new("RGB", SIZE, (225, 230, 235))
    pen = ImageDraw.Draw(image)
    pen.polygon([(x, y + 10), (x + 4, y - 12), (x + 12, y + 2)], fill=coat)
    pen.polygon([(x + 16, y + 2), (x + 24, y - 12), (x + 28, y + 10)], fill=coat)
    pen.ellipse((x, y, x + 28, y + 30), fill=coat)
    for eye in (x + 8, x + 17):
        pen.ellipse((eye, y + 10, eye + 3, y + 13), fill="black")
    pen.ellipse((x + 11, y + 18, x + 17, y + 22), fill="black")
    return image


def main() -> None:
    for breed, folder in enumerate(BREEDS):
        number = 0
        for split, count in IMAGES.items():
            (TARGET / split / folder).mkdir(parents=True, exist_ok=True)
            for _ in range(count):
                number += 1
                name = f"{folder.partition('.')[2]}_{number:05}.jpg"
                draw(breed, number).save(TARGET / split / folder / name, quality=80)


if __name__ == "__main__":
    main()

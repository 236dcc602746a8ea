"""Makes docs/mflow.png: m_stats in a terminal, and a detector image that m_dump has drawn.

cargo build --release --bins
python docs/picture/make.py        # needs numpy and pillow, and the fonts DejaVu
"""

import json
import subprocess
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

ROOT = Path(__file__).resolve().parents[2]
TOOLS = ROOT / "target/release"
SIZE = (1200, 500)
FONT = ImageFont.truetype("DejaVuSansMono.ttf", 18)
CELL = (11, 25)
COMMANDS = (["m_stats", "--loopback", "-d", "3s", "-i", "1"],
            ["m_dump", "recording", "pictures", "--format", "png"])
BACKGROUND, TEXT, PROMPT = "#1c2127", "#d7dde4", "#7ec699"


def powder_rings(side=1024):
    """Returns an image of uint16: powder rings, a beam stop, and the gaps of a detector as flags."""
    random = np.random.default_rng(1)
    y, x = np.mgrid[:side, :side]
    radius = np.hypot(x - 0.47 * side, y - 0.54 * side)
    expected = 3 + 60 * np.exp(-radius / (0.18 * side))
    for ring, height in ((90, 90), (150, 55), (176, 80), (255, 40), (310, 60), (400, 26), (470, 30)):
        expected += height * np.exp(-(((radius - ring) / (3 + ring / 150)) ** 2))
    angle = np.arctan2(y - 0.54 * side, x - 0.47 * side)
    stopped = (radius < 38) | ((abs(angle - 2.2) * radius < 10) & (radius < 420))
    image = random.poisson(np.where(stopped, 0.3, expected)).astype(np.uint16)
    image[337:349] = image[675:687] = 65535
    image[:, 508:516] = 65535
    return image


def main():
    with tempfile.TemporaryDirectory() as folder:
        image = powder_rings()
        header = {"htype": "array-1.0", "type": "uint16", "shape": image.shape, "frame": 0}
        recording = Path(folder) / "recording"
        recording.mkdir()
        (recording / "000000_000.raw").write_text(json.dumps(header))
        (recording / "000000_001.raw").write_bytes(image.tobytes())
        lines = []
        for command in COMMANDS:
            done = subprocess.run([TOOLS / command[0], *command[1:]], cwd=folder, check=True,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            lines += ["$ " + " ".join(command), *done.stdout.splitlines()]
        (picture,) = (Path(folder) / "pictures").iterdir()
        canvas = Image.new("RGB", SIZE, BACKGROUND)
        side = SIZE[1] - 40
        detector = Image.open(picture).convert("RGB").resize((side, side), Image.Resampling.BOX)
        canvas.paste(detector, (SIZE[0] - side - 20, 20))
    draw = ImageDraw.Draw(canvas)
    for row, line in enumerate(lines):
        for column, character in enumerate(line):
            place = (20 + CELL[0] * column, 20 + CELL[1] * row)
            draw.text(place, character, font=FONT, fill=PROMPT if line[0] == "$" else TEXT)
    canvas.quantize(64, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(ROOT / "docs/mflow.png", optimize=True)


if __name__ == "__main__":
    main()

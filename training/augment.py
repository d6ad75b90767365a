"""Random changes to training images, as one Keras layer that runs where the network runs.

Everything is `keras.ops`, batched and free of data-dependent shapes, so the same code runs on
TensorFlow, JAX and PyTorch, inside a compiled step. The order is that of the world: the face is
framed (geometry), lit (gamma, contrast, brightness), seen by a camera (resolution, blur, noise),
stored (JPEG), and then partly covered (erasing).
"""

from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from training.config import Augmentation

# ITU-T T.81 (JPEG), Annex K, table K.1: the luminance quantisation table at quality 50.
JPEG_LUMINANCE = np.array(
    [
        [16, 11, 10, 16, 24, 40, 51, 61],
        [12, 12, 14, 19, 26, 58, 60, 55],
        [14, 13, 16, 24, 40, 57, 69, 56],
        [14, 17, 22, 29, 51, 87, 80, 62],
        [18, 22, 37, 56, 68, 109, 103, 77],
        [24, 35, 55, 64, 81, 104, 113, 92],
        [49, 64, 78, 87, 103, 121, 120, 101],
        [72, 92, 95, 98, 112, 100, 103, 99],
    ],
    dtype="float32",
)


def _dct_matrix(size: int = 8) -> NDArray[np.float32]:
    """The orthonormal DCT-II: `matrix @ block @ matrix.T` are a block's coefficients."""
    frequency, position = np.mgrid[:size, :size]
    matrix = np.cos((2 * position + 1) * frequency * np.pi / (2 * size)) * np.sqrt(2 / size)
    matrix[0] /= np.sqrt(2)
    return np.asarray(matrix, np.float32)


DCT = _dct_matrix()


class Augment(keras.layers.Layer):  # type: ignore[misc]  # keras has no types
    """float32 [N, 48, 48, 1] in 0..1 -> the same, changed at random; active in training only."""

    def __init__(self, augmentation: Augmentation, seed: int = 0, **kwargs: Any) -> None:
        super().__init__(dtype="float32", **kwargs)
        self.augmentation = augmentation
        self.seed_generator = keras.random.SeedGenerator(seed)

    def call(self, images: Any, training: bool = False) -> Any:
        if not training:
            return images
        images = self._frame(images)
        images = self._light(images)
        images = self._resolution(images)
        images = self._blur(images)
        images = self._noise(images)
        images = self._jpeg(images)
        return self._erase(images)

    def _uniform(self, shape: tuple[Any, ...], low: float, high: float) -> Any:
        return keras.random.uniform(shape, low, high, seed=self.seed_generator)

    def _factor(self, count: Any, spread: float) -> Any:
        """[N, 1] factors from 1/(1+spread) .. 1+spread, as likely to shrink as to grow."""
        log = float(np.log1p(spread))
        return ops.exp(self._uniform((count, 1), -log, log))

    def _chosen(self, count: Any, share: float) -> Any:
        """[N, 1, 1, 1] of 0 and 1: which images a change is applied to."""
        return ops.cast(self._uniform((count, 1, 1, 1), 0.0, 1.0) < share, "float32")

    def _frame(self, images: Any) -> Any:
        """Rotate, scale, stretch, shift and mirror in one bilinear resampling.

        Outside the image its edge goes on, as in the crops that the service cuts at a photo's edge.
        """
        a = self.augmentation
        count, height, width = ops.shape(images)[0], images.shape[1], images.shape[2]
        angle = self._uniform((count, 1), -1.0, 1.0) * float(np.radians(a.rotation_degrees))
        angle = angle * self._chosen(count, a.rotation_share)[:, :, 0, 0]
        zoom, stretch = self._factor(count, a.scale), ops.sqrt(self._factor(count, a.aspect))
        mirror = ops.sign(self._uniform((count, 1), -1.0, 1.0)) if a.flip else 1.0
        shifted = self._chosen(count, a.shift_share)[:, :, 0, 0]
        shift_x = shifted * self._uniform((count, 1), -a.shift, a.shift) * width
        shift_y = shifted * self._uniform((count, 1), -a.shift, a.shift) * height

        # For each output pixel, where in the input it comes from (so: the inverse map).
        rows, columns = np.mgrid[:height, :width].reshape(2, 1, -1).astype("float32")
        x = ops.convert_to_tensor(columns - (width - 1) / 2)
        y = ops.convert_to_tensor(rows - (height - 1) / 2)
        cos, sin = ops.cos(angle), ops.sin(angle)
        x, y = (cos * x + sin * y) / (zoom * stretch), (cos * y - sin * x) * stretch / zoom
        x = ops.clip(mirror * x + (width - 1) / 2 + shift_x, 0.0, width - 1.0)
        y = ops.clip(y + (height - 1) / 2 + shift_y, 0.0, height - 1.0)

        left = ops.minimum(ops.floor(x), width - 2.0)
        top = ops.minimum(ops.floor(y), height - 2.0)
        right_share, bottom_share = x - left, y - top
        corner = ops.cast(top * width + left, "int32")
        pixels = ops.reshape(images, (count, height * width))

        def at(offset: int) -> Any:
            return ops.take_along_axis(pixels, corner + offset, axis=1)

        upper = at(0) * (1 - right_share) + at(1) * right_share
        lower = at(width) * (1 - right_share) + at(width + 1) * right_share
        framed = upper * (1 - bottom_share) + lower * bottom_share
        return ops.reshape(framed, (count, height, width, 1))

    def _light(self, images: Any) -> Any:
        a = self.augmentation
        count = ops.shape(images)[0]
        gamma = ops.reshape(self._factor(count, a.gamma), (-1, 1, 1, 1))
        contrast = ops.reshape(self._factor(count, a.contrast), (-1, 1, 1, 1))
        brightness = self._uniform((count, 1, 1, 1), -a.brightness, a.brightness)
        images = ops.power(ops.maximum(images, 1e-4), gamma)
        mean = ops.mean(images, axis=(1, 2, 3), keepdims=True)
        return ops.clip((images - mean) * contrast + mean + brightness, 0.0, 1.0)

    def _resolution(self, images: Any) -> Any:
        """A face that had 24 or 16 pixels when the photo was taken."""
        share = self.augmentation.low_resolution_share
        if not share:
            return images
        count, size = ops.shape(images)[0], images.shape[1:3]
        half = ops.image.resize(
            ops.average_pool(images, 2, strides=2), size, interpolation="bilinear"
        )
        third = ops.image.resize(
            ops.average_pool(images, 3, strides=3), size, interpolation="bilinear"
        )
        use_third = self._chosen(count, 1 / 3)
        coarse = use_third * third + (1 - use_third) * half
        chosen = self._chosen(count, share)
        return chosen * coarse + (1 - chosen) * images

    def _blur(self, images: Any) -> Any:
        """Gaussian of standard deviation up to 1.2, as one of those mixed with the image."""
        share = self.augmentation.blur_share
        if not share:
            return images
        count = ops.shape(images)[0]
        line = np.exp(-0.5 * (np.arange(-3, 4) / 1.2) ** 2).astype("float32")
        line /= line.sum()
        blurred = ops.conv(images, line.reshape(7, 1, 1, 1), padding="same")
        blurred = ops.conv(blurred, line.reshape(1, 7, 1, 1), padding="same")
        # Zero padding darkens the border; dividing by the blurred ones undoes it.
        reach = np.convolve(np.ones(images.shape[1], "float32"), line, mode="same")
        blurred = blurred / ops.convert_to_tensor(np.outer(reach, reach)[None, :, :, None])
        amount = self._chosen(count, share) * self._uniform((count, 1, 1, 1), 0.3, 1.0)
        return amount * blurred + (1 - amount) * images

    def _noise(self, images: Any) -> Any:
        share = self.augmentation.noise_share
        if not share:
            return images
        count = ops.shape(images)[0]
        deviation = self._chosen(count, share) * self._uniform((count, 1, 1, 1), 0.01, 0.06)
        noise = keras.random.normal(ops.shape(images), seed=self.seed_generator)
        return ops.clip(images + deviation * noise, 0.0, 1.0)

    def _jpeg(self, images: Any) -> Any:
        """Quantise each 8x8 block's cosine coefficients, as JPEG does to luminance."""
        share = self.augmentation.jpeg_share
        if not share:
            return images
        count, height, width = ops.shape(images)[0], images.shape[1], images.shape[2]
        quality = self._uniform((count, 1, 1, 1, 1), 15.0, 80.0)
        # The scale of the Independent JPEG Group's library: 50 is the table as it stands.
        scale = ops.where(quality < 50.0, 50.0 / quality, 2.0 - quality / 50.0)
        step = ops.maximum(ops.reshape(JPEG_LUMINANCE, (1, 1, 8, 1, 8)) * scale, 1.0)
        blocks = ops.reshape(images * 255.0 - 128.0, (count, height // 8, 8, width // 8, 8))
        coefficients = ops.einsum("ui,nyixj,vj->nyuxv", DCT, blocks, DCT)
        blocks = ops.einsum("ui,nyuxv,vj->nyixj", DCT, ops.round(coefficients / step) * step, DCT)
        stored = ops.reshape((blocks + 128.0) / 255.0, (count, height, width, 1))
        chosen = self._chosen(count, share)
        return ops.clip(chosen * stored + (1 - chosen) * images, 0.0, 1.0)

    def _erase(self, images: Any) -> Any:
        """Random erasing (Zhong et al. 2017, arXiv 1708.04896): a hand, a mask, some hair."""
        share = self.augmentation.erasing_share
        if not share:
            return images
        count, height, width = ops.shape(images)[0], images.shape[1], images.shape[2]
        area = self._uniform((count, 1), 0.02, 0.20) * (height * width)
        aspect = self._factor(count, 2.0)
        half_width = ops.sqrt(area * aspect) / 2
        half_height = ops.sqrt(area / aspect) / 2
        x = self._uniform((count, 1), 0.0, float(width))
        y = self._uniform((count, 1), 0.0, float(height))
        columns = ops.abs(ops.arange(0.5, width, dtype="float32") - x) < half_width
        rows = ops.abs(ops.arange(0.5, height, dtype="float32") - y) < half_height
        covered = ops.cast(rows, "float32")[:, :, None] * ops.cast(columns, "float32")[:, None, :]
        covered = covered[..., None] * self._chosen(count, share)
        cover = self._uniform(ops.shape(images), 0.0, 1.0)
        return covered * cover + (1 - covered) * images

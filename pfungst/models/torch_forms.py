"""Linear forms of a layer's values, as a backward pass through a network carries them: whole, or as windows."""

import sys
from dataclasses import dataclass, replace
from typing import Any

SMALL = 1 << 21
"""Numbers of a matrix that is still worth making for a product."""


def loaded() -> Any:
    """PyTorch, which is there wherever a module is."""
    return sys.modules["torch"]


@dataclass(frozen=True)
class Whole:
    """Forms over all values of a layer: ``a`` is (rows or 1, forms, *shape of the layer)."""

    a: Any

    def aligned(self, values: Any) -> Any:
        """Values of the layer (rows or 1, *shape) as a factor of ``a``."""
        return values.unsqueeze(1)

    def dot(self, a: Any, values: Any) -> Any:
        """The sums of products of ``a``, or of numbers in its places, with values as they are aligned, axes kept."""
        found = a.flatten(2) @ values.flatten(2).transpose(1, 2)
        return found.reshape(*found.shape[:2], *[1] * (a.ndim - 2))

    def inner(self, a: Any, b: Any) -> Any:
        """The sums of products of numbers in the places of ``a``, axes kept."""
        return (a * b).sum(dim=tuple(range(2, a.ndim)), keepdim=True)

    def squares(self, a: Any) -> Any:
        """The sums of squares, axes kept."""
        return loaded().linalg.vector_norm(a, dim=tuple(range(2, a.ndim)), keepdim=True).square()

    def flat(self, sums: Any) -> Any:
        """Such sums as (rows, forms)."""
        return sums.flatten(1)

    def whole(self) -> "Whole":
        """Itself."""
        return self

    def with_(self, a: Any) -> "Whole":
        """Other numbers in the same places."""
        return Whole(a)


@dataclass(frozen=True)
class Windows:
    """Forms at each place of a later layer, each over a window of this layer.

    ``a`` is (rows or 1, down, right, forms, channels, height, width of the window); the window of place (i, j) begins
    at (i, j) times ``stride`` less ``before``. What lies outside the layer counts as zero. ``shape`` is the layer's.
    """

    a: Any
    stride: tuple[int, int]
    before: tuple[int, int]
    shape: tuple[int, int, int]

    def aligned(self, values: Any) -> Any:
        """Values of the layer (rows or 1, *shape) as a factor of ``a``, each place sees its window."""
        places, window = self.a.shape[1:3], self.a.shape[5:7]
        after = [
            (places[axis] - 1) * self.stride[axis] + window[axis] - self.before[axis] - self.shape[1 + axis]
            for axis in (0, 1)
        ]
        padded = loaded().nn.functional.pad(values, (self.before[1], after[1], self.before[0], after[0]))
        seen = padded.unfold(2, window[0], self.stride[0]).unfold(3, window[1], self.stride[1])
        return seen.permute(0, 2, 3, 1, 4, 5).unsqueeze(3).contiguous()

    def dot(self, a: Any, values: Any) -> Any:
        """The sums over each window of products of ``a`` with values as they are aligned, axes kept."""
        return (a.flatten(4) @ values.flatten(4).transpose(3, 4))[..., None, None]

    def inner(self, a: Any, b: Any) -> Any:
        """The sums over each window of products of numbers in the places of ``a``, axes kept."""
        return (a * b).sum(dim=(4, 5, 6), keepdim=True)

    def squares(self, a: Any) -> Any:
        """The sums of squares over each window, axes kept."""
        return loaded().linalg.vector_norm(a, dim=(4, 5, 6), keepdim=True).square()

    def flat(self, sums: Any) -> Any:
        """Such sums as (rows, forms x places), in the order of a layer's values."""
        return sums[..., 0, 0, 0].permute(0, 3, 1, 2).flatten(1)

    def whole(self) -> Whole:
        """The same forms over all values of the layer, in the order of ``flat``."""
        rows, down, right, forms, channels, height, width = self.a.shape
        high = max(self.shape[1] + self.before[0], (down - 1) * self.stride[0] + height)
        wide = max(self.shape[2] + self.before[1], (right - 1) * self.stride[1] + width)
        full = self.a.new_zeros(rows, forms, down, right, channels, high, wide)
        for i in range(down):
            for j in range(right):
                top, left = i * self.stride[0], j * self.stride[1]
                full[:, :, i, j, :, top : top + height, left : left + width] = self.a[:, i, j]
        (top, left), (_, rest, across) = self.before, self.shape
        kept = full[..., top : top + rest, left : left + across]
        return Whole(kept.reshape(rows, forms * down * right, *self.shape))

    def with_(self, a: Any) -> "Windows":
        """Other numbers in the same places."""
        return replace(self, a=a)

    def within(self, other: "Windows") -> Any:
        """``a`` in windows so large that those of ``other`` fit too, and where they then begin."""
        before = [max(self.before[axis], other.before[axis]) for axis in (0, 1)]
        pad = [before[axis] - self.before[axis] for axis in (0, 1)]
        ends = [
            max(one.a.shape[5 + axis] - one.before[axis] for one in (self, other)) + before[axis] for axis in (0, 1)
        ]
        rest = [ends[axis] - pad[axis] - self.a.shape[5 + axis] for axis in (0, 1)]
        return loaded().nn.functional.pad(self.a, (pad[1], rest[1], pad[0], rest[0])), (before[0], before[1])


Form = Whole | Windows


def summed(first: Form | None, second: Form) -> Form:
    """The sum of forms that reach the same layer by two ways."""
    if first is None:
        return second
    if isinstance(first, Windows) and isinstance(second, Windows) and first.stride == second.stride:
        (one, before), (other, _) = first.within(second), second.within(first)
        return Windows(one + other, first.stride, before, first.shape)
    return Whole(first.whole().a + second.whole().a)


def transposed(form: Form, weight: Any, steps: Any) -> Form:
    """Forms of what a convolution gives as forms of what it takes; ``steps`` holds its stride, padding and the like."""
    settings = {"stride": steps.stride, "dilation": steps.dilation, "groups": steps.groups}
    if isinstance(form, Whole):
        rows, forms = form.a.shape[:2]
        sizes = [
            (form.a.shape[3 + axis] - 1) * steps.stride[axis]
            - 2 * steps.padding[axis]
            + steps.dilation[axis] * (weight.shape[2 + axis] - 1)
            + 1
            for axis in (0, 1)
        ]
        rest = tuple(steps.taken[1 + axis] - sizes[axis] for axis in (0, 1))
        back = loaded().nn.functional.conv_transpose2d(
            form.a.flatten(0, 1), weight, padding=steps.padding, output_padding=rest, **settings
        )
        return Whole(back.reshape(rows, forms, *steps.taken))
    seen = form.a * form.aligned(form.a.new_ones(1, *form.shape)) if any(form.before) else form.a
    back = _widened(seen.reshape(-1, *seen.shape[4:]), weight, settings)
    stride = tuple(form.stride[axis] * steps.stride[axis] for axis in (0, 1))
    before = tuple(form.before[axis] * steps.stride[axis] + steps.padding[axis] for axis in (0, 1))
    found = Windows(back.reshape(*seen.shape[:4], *back.shape[1:]), stride, before, steps.taken)
    larger = any(back.shape[2 + axis] >= steps.taken[1 + axis] for axis in (0, 1))
    return found.whole() if larger else found


def _widened(windows: Any, weight: Any, settings: dict[str, Any]) -> Any:
    """A transposed convolution of many small windows: one product of matrices where the matrix is small."""
    transpose = loaded().nn.functional.conv_transpose2d
    size = windows[0].numel()
    if size > len(windows):
        return transpose(windows, weight, **settings)
    eye = loaded().eye(size, dtype=windows.dtype, device=windows.device)
    matrix = transpose(eye.reshape(size, *windows.shape[1:]), weight, **settings)
    if matrix.numel() > SMALL:
        return transpose(windows, weight, **settings)
    return (windows.reshape(len(windows), size) @ matrix.reshape(size, -1)).reshape(-1, *matrix.shape[1:])

"""How near generated pictures come to those they stand for: L1, PSNR and SSIM, frame against frame."""

import math

import cv2
import numpy as np

TOP = 255.0
SSIM_WINDOW, SSIM_SIGMA = 11, 1.5
SSIM_C1, SSIM_C2 = (0.01 * TOP) ** 2, (0.03 * TOP) ** 2


def l1(made: np.ndarray, true: np.ndarray) -> float:
    """Measure the mean absolute difference of pictures of one shape, uint8, as a share of the range."""
    return float(np.abs(made.astype(np.int16) - true).mean() / TOP)


def psnr(made: np.ndarray, true: np.ndarray) -> float:
    """Measure 10 log10(255^2 / mean squared error) over all pictures at once, in dB; infinite for equal ones."""
    error = float(((made.astype(np.float64) - true) ** 2).mean())
    return 10 * math.log10(TOP**2 / error) if error else math.inf


def ssim(made: np.ndarray, true: np.ndarray) -> float:
    """Measure the mean structural similarity of the luminance of RGB uint8 [N, H, W, 3], H and W at least 11.

    Wang et al. 2004 (IEEE TIP 13-4), equations 13 to 16: under a Gaussian of 1.5 pixels cut to 11 by 11, wherever it
    lies whole in the picture.
    """
    return float(np.mean([_ssim(*map(_luminance, pair)) for pair in zip(made, true, strict=True)]))


def _ssim(first: np.ndarray, second: np.ndarray) -> float:
    mean_first, mean_second = _weighted(first), _weighted(second)
    variances = _weighted(first * first) - mean_first**2 + _weighted(second * second) - mean_second**2
    covariance = _weighted(first * second) - mean_first * mean_second
    means = (2 * mean_first * mean_second + SSIM_C1) / (mean_first**2 + mean_second**2 + SSIM_C1)
    return float((means * (2 * covariance + SSIM_C2) / (variances + SSIM_C2)).mean())


def _weighted(plane: np.ndarray) -> np.ndarray:
    edge = SSIM_WINDOW // 2
    blurred = cv2.GaussianBlur(plane, (SSIM_WINDOW, SSIM_WINDOW), SSIM_SIGMA)
    return blurred[edge:-edge, edge:-edge]


def _luminance(picture: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(np.ascontiguousarray(picture), cv2.COLOR_RGB2GRAY).astype(np.float64)

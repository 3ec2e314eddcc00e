# SPDX-License-Identifier: MIT
"""Arrays of numpy, large and small, of which some are given back."""
import numpy

arrays = [numpy.random.rand(1000, 100) for _ in range(60)]
copies = [array.copy() for array in arrays[:20]]
numpy.linalg.svd(numpy.random.rand(300, 300))
del arrays[::2]
print(sum(array.sum() for array in arrays) > 0)

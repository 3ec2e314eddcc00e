# SPDX-License-Identifier: MIT
"""Tables of polars, whose library has jemalloc built in."""
import polars

table = polars.DataFrame({"number": list(range(500000)), "text": [str(i) for i in range(500000)]})
upper = table.with_columns(polars.col("text").str.to_uppercase().alias("upper"))
print(upper.shape, upper.estimated_size())

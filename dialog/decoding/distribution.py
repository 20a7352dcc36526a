"""What a reply's next token is drawn from, as a whole distribution: for those who want to see what was not drawn.

The filters are those of `sampling`, which itself looks at the probable tokens alone.
"""

import numpy as np
import torch
from numpy.typing import NDArray

from dialog.decoding.sampling import History, adjust, kept_of_row

__all__ = ["distribution"]


def distribution(logits: NDArray[np.float32], history: History) -> NDArray[np.float64]:
    """Returns the probability of each token to be the next one of a reply, (vocabulary,).

    Where nothing is drawn (`greedy`, `beam`) it is what the choice goes by: penalties, blocks and temperature, but no
    filter.

    Args:
        logits: (vocabulary,), of the model.
        history: the reply's settings and the tokens before; its draws are not read.
    """
    asked = history.sampling
    adjusted = adjust(torch.from_numpy(logits)[None], [history])[0].numpy()
    temperature = 1.0 if asked.method == "greedy" else asked.temperature
    weights = np.exp((adjusted - adjusted.max()) / np.float32(temperature))
    values = weights.astype(np.float64)
    if asked.method == "sample":
        kept = kept_of_row(values, float(weights.sum()), asked)
        if kept is not None:
            values = np.where(kept, values, 0.0)
    shares: NDArray[np.float64] = values / values.sum()
    return shares

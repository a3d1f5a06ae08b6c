"""A generated house-price data set: six columns and four photos per house, and a known best possible error.

Every house has columns (bedrooms, bathrooms, area, zipcode, year built, lot size) and hidden factors that
nothing but its pictures show: storeys, upkeep and pool in the front photo, window size and fireplace in the
bedroom, finish and bathtub in the bathroom, finish and island in the kitchen. The price equation:

    log price = 12.75 + t(columns) + s p(factors) (1 + k z) + noise

    t = 0.26 z + 0.03 (bedrooms - 3) + 0.06 (bathrooms - 2) + place(zipcode) + 0.12 log(lot size / 7000)
        + 0.9 ((year built - 1930) / 92 - 0.4)^2
    z = (log area - log 1900) / 0.33, mean 0, standard deviation 1
    p = sum over the factors of effect x (factor - its mean), with mean 0 and standard deviation 0.36, a
        quarter of its variance from each photo
    s = ``photo_signal``, 1 by default
    k = 0.06 / 0.36: a larger house makes more of its looks; this interaction has standard deviation 0.06
    noise is normal with standard deviation 0.235

Factors, columns and noise are independent of each other; some cells and photos are missing, completely at
random. That is why the best possible prediction from the columns alone, from the pictures alone and from both
is known: ``oracle()`` gives its error, ``oracle_predictions()`` the predictions themselves. Light, viewpoint,
colours, furniture, clutter, noise and JPEG quality of the photos are nuisance: independent of the price.
"""

from mixed_data.readers.sample.generated_files import generate_sample, oracle_predictions, read_sample
from mixed_data.readers.sample.market import oracle

__all__ = ["generate_sample", "oracle", "oracle_predictions", "read_sample"]

"""Whoever imports this lets TensorFlow compute without tracing graphs, as `estimator_helpers.eagerly` does.

It is for processes that begin as copies of one which has imported it.
"""

import tensorflow as tf

tf.config.run_functions_eagerly(True)

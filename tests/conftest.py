"""What all tests share: no test touches the user's own data, and nothing asks the network for news.

The environment is set when this file is read, before a test module imports anything of the app, and is
inherited by the processes that tests start.
"""

import atexit
import os
import shutil
import signal
import tempfile

from hypothesis import HealthCheck, settings

test_data_folder = tempfile.mkdtemp(prefix="hred-tests-")
atexit.register(shutil.rmtree, test_data_folder, ignore_errors=True)

os.environ["HRED_DATA_FOLDER"] = test_data_folder
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ.pop("HRED_DATABASE_URL", None)
# What a shell starts in the background ignores Ctrl-C, and so would all the processes that tests start and stop by it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
# As the commands that train have it: sums in one order, wherever a buffer lies.
os.environ.setdefault("MKL_CBWR", "AUTO")
# Models in tests are tiny: a second thread wins nothing, and on a busy machine threads that wait for each other
# make them many times slower.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# A busy machine is no fault of what is tested.
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")

#!/bin/sh
# Does all that is due: probes, collects, judges, and publishes into a folder. Copy it, and call it every hour from cron:
#   7 * * * * cd /path/to/product && scripts/track_metrics.sh
#
# MILEPOST     the program [default: milepost]
# METRICS_DIR  the folder to publish into [default: ./metrics]
#
# The last line says whether all targets are met. Exit codes: 0 done, 2 wrong configuration, 4 Milepost failed.
set -eu
exec "${MILEPOST:-milepost}" track --output "${METRICS_DIR:-./metrics}"

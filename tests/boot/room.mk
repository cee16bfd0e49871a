# Hosts that boot, with the packages: run by packaging/test, not by make.
EXTRA_DIST += \
	tests/boot/conftest.py \
	tests/boot/fleet.py \
	tests/boot/machine.py \
	tests/boot/test_packages.py

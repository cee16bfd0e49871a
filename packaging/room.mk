# What packages are made of. "make install" installs none of it: units hold the paths of packages.
dist_noinst_SCRIPTS += \
	packaging/build-deb \
	packaging/build-rpm \
	packaging/in-root \
	packaging/install-files \
	packaging/make-root \
	packaging/pgha-unclaimed \
	packaging/pgha-units \
	packaging/test \
	packaging/test-e2e
EXTRA_DIST += \
	packaging/createcluster.conf \
	packaging/debian \
	packaging/examples \
	packaging/pgha-guard@.service \
	packaging/pgha-guards.target \
	packaging/pgha.catalog \
	packaging/pgha.sysusers \
	packaging/pgha.yml.example \
	packaging/pghad.service \
	packaging/pghad@.service \
	packaging/postgresql-pgdg.service.conf \
	packaging/postgresql@.service.conf \
	packaging/prometheus \
	packaging/rpm

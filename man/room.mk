dist_man_MANS += man/hactl.1
dist_man_MANS += man/pgha.yml.5
dist_man_MANS += man/pgha.7
dist_man_MANS += man/pgha-operations.7
dist_man_MANS += man/pgha-rest.7
dist_man_MANS += man/pgha-guard.8
dist_man_MANS += man/pgha_fence.7
dist_man_MANS += man/pghad.8

/* SPDX-License-Identifier: PostgreSQL */
/*
 * driver - runs a fuzz target over its corpus and over deterministic mutations of it
 *
 * usage: fuzz_NAME [FILE...]    with files: each as it is, to reproduce
 *
 * The name of the program picks the corpus: tests/fuzz/corpus/NAME below the source directory,
 * which automake names in the environment. PGHA_FUZZ_ROUNDS raises the number of mutations per
 * file. An input that crashes is left in NAME.crash. A target also links with clang's
 * -fsanitize=fuzzer, which brings a main() of its own.
 */
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/parse.h"
#include "base/str.h"

#define ROUNDS     2000
#define FILES_MAX  64
#define INPUT_SIZE 65536

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
	size_t len;
	uint8_t data[INPUT_SIZE];
};

/* Read by the signal handler. */
static const struct input *running;
static char crash_path[PATH_MAX];

static void on_crash(int number)
{
	int fd = open(crash_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd >= 0 && running && write(fd, running->data, running->len) >= 0)
		(void)close(fd);
	(void)signal(number, SIG_DFL);
	(void)raise(number);
}

static uint32_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return (uint32_t)(*state >> 32);
}

static size_t pick(uint64_t *state, size_t n)
{
	return n > 0 ? next_random(state) % n : 0;
}

/* Replaces `gone` bytes at `at` by `len` bytes. */
static void replace(struct input *input, size_t at, size_t gone, const void *bytes, size_t len)
{
	if (input->len - gone + len > INPUT_SIZE)
		return;
	memmove(input->data + at + len, input->data + at + gone, input->len - at - gone);
	memcpy(input->data + at, bytes, len);
	input->len += len - gone;
}

static void mutate(struct input *input, const struct input *other, uint64_t *state)
{
	/* clang-format off */
	static const char *const words[] = {
		"1e999", "-1", "99999999999999999999", "9223372036854775807", "null", "true", "{}",
		"[", "]", "{", "}", "\"", "\\", "\\u0000", "\\ud800", "\xff", "\xc3\xa9", "\n",
		",", ":", "=", "&", "%", "%zz", "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", "/", "+01:00", "",
		"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
	};
	/* clang-format on */
	size_t at = pick(state, input->len + 1);
	size_t some = pick(state, MIN_OF(input->len - at, (size_t)24) + 1);
	const char *word = words[pick(state, ARRAY_LEN(words))];
	size_t from = pick(state, other->len + 1);

	switch (pick(state, 7)) {
	case 0:
		if (at < input->len)
			input->data[at] ^= (uint8_t)(1u << pick(state, 8));
		break;
	case 1:
		if (at < input->len)
			input->data[at] = (uint8_t)next_random(state);
		break;
	case 2:
		replace(input, at, some, "", 0);
		break;
	case 3:
		replace(input, at, some, word, strlen(word));
		break;
	case 4:
		replace(input, at, 0, word, strlen(word));
		break;
	case 5:
		input->len = at;
		break;
	default:
		replace(input, at, some, other->data + from,
		       pick(state, MIN_OF(other->len - from, (size_t)200) + 1));
		break;
	}
}

static void run(const struct input *input)
{
	/* An exact copy on the heap, so that the sanitizer sees a read behind its end. */
	uint8_t *copy = mem_new(input->len > 0 ? input->len : 1, 1);

	memcpy(copy, input->data, input->len);
	running = input;
	(void)LLVMFuzzerTestOneInput(input->len > 0 ? copy : NULL, input->len);
	running = NULL;
	free(copy);
}

static bool read_input(const char *path, struct input *ret)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return false;
	n = read(fd, ret->data, sizeof(ret->data));
	(void)close(fd);
	ret->len = n > 0 ? (size_t)n : 0;
	return n >= 0;
}

/* The files of the corpus in the order of their names, so that every run is the same. */
static size_t read_corpus(const char *dir, struct input *inputs)
{
	struct dirent **names = NULL;
	int found = scandir(dir, &names, NULL, alphasort);
	size_t n = 0;

	for (int i = 0; i < found; i++) {
		char path[PATH_MAX];

		if (names[i]->d_name[0] != '.' && n < FILES_MAX &&
		    str_printf(path, sizeof(path), "%s/%s", dir, names[i]->d_name) > 0 &&
		    read_input(path, &inputs[n]))
			n++;
		free(names[i]);
	}
	free(names);
	return n;
}

static int run_corpus(const char *name, int64_t rounds)
{
	const char *source = getenv("srcdir");
	struct input *inputs = mem_new(FILES_MAX + 1, sizeof(*inputs));
	struct input *mutant = &inputs[FILES_MAX];
	uint64_t state = 88172645463325252u;
	char dir[PATH_MAX];
	size_t n;

	if (str_printf(dir, sizeof(dir), "%s/tests/fuzz/corpus/%s", source ? source : ".", name) < 0)
		return EXIT_FAILURE;
	n = read_corpus(dir, inputs);
	for (size_t i = 0; i < n; i++) {
		run(&inputs[i]);
		for (int64_t round = 0; round < rounds; round++) {
			*mutant = inputs[i];
			for (size_t left = 1 + pick(&state, 4); left > 0; left--)
				mutate(mutant, &inputs[pick(&state, n)], &state);
			run(mutant);
		}
	}
	printf("%s: %zu files, %lld mutations of each\n", name, n, (long long)rounds);
	free(inputs);
	if (n == 0)
		fprintf(stderr, "no corpus in '%s'\n", dir);
	return n > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
	static const int signals[] = { SIGSEGV, SIGABRT, SIGBUS, SIGFPE, SIGILL };
	const char *slash = strrchr(argv[0], '/');
	const char *name = slash ? slash + 1 : argv[0];
	const char *text = getenv("PGHA_FUZZ_ROUNDS");
	static struct input input;
	int64_t rounds = ROUNDS;

	name += str_starts(name, "fuzz_") ? strlen("fuzz_") : 0;
	if (str_printf(crash_path, sizeof(crash_path), "%s.crash", name) < 0)
		return EXIT_FAILURE;
	for (size_t i = 0; i < ARRAY_LEN(signals); i++)
		(void)signal(signals[i], on_crash);
	if (text && parse_int(text, 0, INT32_MAX, &rounds, NULL) < 0)
		return EXIT_FAILURE;
	if (argc < 2)
		return run_corpus(name, rounds);
	for (int i = 1; i < argc; i++) {
		if (!read_input(argv[i], &input))
			return EXIT_FAILURE;
		run(&input);
	}
	return EXIT_SUCCESS;
}

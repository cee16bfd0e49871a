/* SPDX-License-Identifier: PostgreSQL */
/*
 * cmd_completion - what a shell runs to complete our command line
 *
 * The scripts know nothing themselves: they hand the line over and show what comes back. So they
 * are right for any version of the program that they find.
 */
#include <stdio.h>

#include "cli/cmd.h"
#include "cli/complete.h"

/* Bash splits at '=' and ':', which stand in values: the line is split anew at blanks, and of each
 * candidate goes away what stands before the word that bash thinks of. */
static const char bash_script[] =
	"# bash completion of hactl\n"
	"_hactl()\n"
	"{\n"
	"\tlocal line=${COMP_LINE:0:COMP_POINT} cur=${COMP_WORDS[COMP_CWORD]} before word help\n"
	"\tlocal -a words\n"
	"\tCOMPREPLY=()\n"
	"\tread -ra words <<<\"$line\"\n"
	"\tif [[ $line == *[[:space:]] ]]; then\n"
	"\t\twords+=(\"\")\n"
	"\tfi\n"
	"\tif [[ $cur == [=:] ]]; then\n"
	"\t\tcur=\n"
	"\tfi\n"
	"\tbefore=${words[${#words[@]} - 1]}\n"
	"\tbefore=${before%\"$cur\"}\n"
	"\twhile IFS=$'\\t' read -r word help; do\n"
	"\t\tif [[ $word == " COMPLETE_FILES " ]]; then\n"
	"\t\t\tcompopt -o filenames 2>/dev/null || :\n"
	"\t\t\twhile read -r word; do\n"
	"\t\t\t\tCOMPREPLY+=(\"$word\")\n"
	"\t\t\tdone < <(compgen -f -- \"$cur\")\n"
	"\t\telse\n"
	"\t\t\tCOMPREPLY+=(\"${word#\"$before\"}\")\n"
	"\t\tfi\n"
	"\tdone < <(\"${words[0]}\" " COMPLETE_VERB " \"${words[@]:1}\" 2>/dev/null)\n"
	"}\n"
	"complete -F _hactl hactl\n";

static const char zsh_script[] =
	"#compdef hactl\n"
	"# zsh completion of hactl\n"
	"_hactl()\n"
	"{\n"
	"\tlocal -a entries\n"
	"\tlocal entry word files\n"
	"\tfor entry in ${(f)\"$(\"${words[1]}\" " COMPLETE_VERB
	" \"${(@)words[2,CURRENT-1]}\" \"$PREFIX\" 2>/dev/null)\"}; do\n"
	"\t\tif [[ $entry == " COMPLETE_FILES " ]]; then\n"
	"\t\t\tfiles=1\n"
	"\t\t\tcontinue\n"
	"\t\tfi\n"
	"\t\tword=${entry%%$'\\t'*}\n"
	"\t\tword=${word//:/\\\\:}\n"
	"\t\tif [[ $entry == *$'\\t'* ]]; then\n"
	"\t\t\tword=$word:${entry#*$'\\t'}\n"
	"\t\tfi\n"
	"\t\tentries+=(\"$word\")\n"
	"\tdone\n"
	"\tif (( ${#entries} )); then\n"
	"\t\t_describe -V hactl entries\n"
	"\tfi\n"
	"\tif [[ -n $files ]]; then\n"
	"\t\tcompset -P '--*='\n"
	"\t\t_files\n"
	"\tfi\n"
	"}\n"
	"if [[ $funcstack[1] == _hactl ]]; then\n"
	"\t_hactl\n"
	"else\n"
	"\tcompdef _hactl hactl\n"
	"fi\n";

static const char fish_script[] =
	"# fish completion of hactl\n"
	"function __hactl_complete\n"
	"\tset -l words (commandline -opc)\n"
	"\tset -l current (commandline -ct)\n"
	"\tfor line in ($words[1] " COMPLETE_VERB " $words[2..-1] \"$current\" 2>/dev/null)\n"
	"\t\tif test \"$line\" = " COMPLETE_FILES "\n"
	"\t\t\t__fish_complete_path (string replace -r '^--[^=]*=' '' -- \"$current\")\n"
	"\t\telse\n"
	"\t\t\techo $line\n"
	"\t\tend\n"
	"\tend\n"
	"end\n"
	"complete -c hactl -f -a '(__hactl_complete)'\n";

static int run(struct cli *cli _unused_, const struct args *args, struct err *err)
{
	const char *shell = args->words[0];

	if (str_eq(shell, "bash"))
		printf("%s", bash_script);
	else if (str_eq(shell, "zsh"))
		printf("%s", zsh_script);
	else if (str_eq(shell, "fish"))
		printf("%s", fish_script);
	else
		return err_set(err, ERR_PARSE, "'%s' is not known: bash, zsh or fish", shell);
	return 0;
}

static const char *const shells[] = { "bash", "zsh", "fish", NULL };

const struct cli_command cmd_completion = {
	.name = "completion",
	.words = "bash|zsh|fish",
	.takes = { { .choices = shells } },
	.words_min = 1,
	.words_max = 1,
	.alone = true,
	.help = "Print what makes a shell complete the command line of hactl.",
	.more = "  The packages install it. By hand: eval \"$(hactl completion bash)\"\n",
	.run = run,
};

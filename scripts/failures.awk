# SPDX-License-Identifier: PostgreSQL
#
# failures.awk - of a long log, the lines that tell what failed
#
# usage: awk -v form=io|pytest|check|make -f failures.awk LOG
#
#   io      "== PROGRAM", its output, "FAILED PROGRAM" when it failed
#   pytest  the report at the end of a run of pytest -v
#   check   the log of one test program
#   make    a build
#
# Says nothing about a log in which it finds no failure.

BEGIN {
	CONTEXT = 3      # lines before and after one that tells
	LAST = 15        # of a program that says nothing of the kind
	AGENT = 12       # last lines of each agent of a failed real-host test
	TOLD_MAX = 40    # lines of one program, test or build
	cut = "   ..."
}

# A carriage return or an escape sequence would spoil the screen of whoever reads this.
{ gsub(/\033\[[0-9;]*[A-Za-z]/, ""); sub(/\r$/, "") }

function tells(line) {
	return line ~ /failed: |^\[?(FAIL|CRASH|ERR)|^NOT FOUND|^FAILED?:? |Assertion|assertion/ ||
		line ~ /Sanitizer|runtime error:|[^a-z]error: |^make.*\*\*\* |undefined reference|[Tt]imed out/
}

# The lines of part[] that tell, with their surroundings; else the last ones.
function tell_part(	i, k, told, shown, any) {
	for (i = 1; i <= n; i++)
		if (tells(part[i])) {
			any = 1
			for (k = i - CONTEXT; k <= i + CONTEXT; k++)
				shown[k] = 1
		}
	for (i = any ? 1 : n - LAST + 1; i <= n; i++) {
		if (i < 1 || (any && !(i in shown)))
			continue
		if (told++ == TOLD_MAX) {
			print cut
			break
		}
		print "   " part[i]
	}
}

form == "io" && /^== / { n = 0; next }
form == "io" && /^FAILED [^ ]+$/ {
	print "FAILED " $2
	tell_part()
	n = 0
	next
}
form == "io" || form == "check" || form == "make" { part[++n] = $0 }

# pytest: the reports stand between two headings; each test has one with its name.
function end_agent(	i) {
	for (i = agent_n - AGENT + 1; i <= agent_n; i++)
		if (i >= 1)
			print "   " agent[i]
	agent_n = 0
}

form == "pytest" && /^=+ (FAILURES|ERRORS) =+$/ { on = 1; next }
form == "pytest" && /^=+ .* =+$/ { end_agent(); on = 0 }
form == "pytest" && /^(FAILED|ERROR) [^ ]+/ && !on { summary[++nsummary] = $0 }
form != "pytest" || !on { next }
/^_+ [^_ ].* _+$/ {
	end_agent()
	gsub(/^_+ | _+$/, "")
	print (/^ERROR at / ? "" : "FAILED ") $0
	section = ""
	told = 0
	next
}
/^-+ [^-].* -+$/ {
	end_agent()
	section = /stdout/ ? "out" : /pghad of/ ? "agent" : "other"
	if (section == "agent") {
		gsub(/^-+ | -+$/, "")
		print "   -- " $0
	}
	told = 0
	next
}
section == "agent" && !/ DEBUG: / { agent[++agent_n] = $0 }
section == "out" || (section == "" && (/^(>|E) / || /^[^ ]+:[0-9]+: /)) {
	if (told++ < TOLD_MAX)
		print "   " $0
}

END {
	if (form == "check" || form == "make")
		tell_part()
	if (form == "pytest")
		end_agent()
	for (i = 1; i <= nsummary; i++)
		print summary[i]
}

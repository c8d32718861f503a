set -u
echo one > a; echo two >> a; cat < a | sort | uniq > b
while read -r line; do printf '%s\n' "$line"; done < a > c
exec 3<>rw; echo x >&3; exec 3>&-
cat <<HERE > here
$(cat a | wc -l)
HERE
diff <(sort a) <(sort b) || true
{ echo err >&2; echo out; } > both 2>&1
(cd / && ls > /dev/null); mkdir -p d/e; mv a d/a; cp d/a d/e/; ln d/a hard; ln -s d/a soft; chmod 600 d/a; touch t; touch t
for i in 1 2 3; do echo "$i"; done | tee copy | grep 2 > found
head -c 100 /dev/zero | tr '\0' x | dd of=dd bs=10 2>/dev/null
seq 100 | xargs -n 50 echo | awk '{print NF}' > awk; sed -i s/50/51/ awk
find . -name 'a' -exec cat {} + > found2
trap 'echo bye > bye' EXIT
sleep 5 & kill $!; wait $! || true
( exit 4 ) || true
coproc cat; echo hi >&"${COPROC[1]}"; read -r answer <&"${COPROC[0]}"; exec {COPROC[1]}>&-; wait
env -i /bin/sh -c 'echo bare > bare'
truncate -s 10 t; mktemp -p . > name; install -m 755 b bin; rm -r d hard soft; rmdir d 2>/dev/null || true
dash -c 'echo dash | cat > dash'; exec cat b

#!/bin/sh
# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: The Duct authors
#
# check-examples.sh DIRECTORY: runs the built examples in DIRECTORY as a user would and checks what they do.
#
# A line for each check that fails, and at the end "N passed, M failed".  What needs a tool that is missing (curl, wrk) is
# skipped with a line that says so; where CI is set that is a failure.  Under sanitizers, which allow fewer threads,
# DAISY_LINKS makes the chain shorter.  The small clients beside this file are taken from DIRECTORY/../test, or else
# compiled with CC.  (ulimit -n and -v are not POSIX; where a shell lacks them those checks are left out.)
#
# shellcheck disable=SC3045

dir=$(cd "${1:?usage: check-examples.sh DIRECTORY}" && pwd) || exit 2
here=$(cd "$(dirname "$0")" && pwd)
links=${DAISY_LINKS:-10000}
passed=0
failed=0
server=

tmp=$(mktemp -d) || exit 2
trap '[ -z "$server" ] || kill -9 "$server" 2>/dev/null; rm -rf "$tmp"' EXIT
trap 'exit 1' INT TERM
cd "$tmp" || exit 2

# check NAME COMMAND...: the command must succeed.
check() {
	check_name=$1
	shift
	if "$@" >check.out 2>&1; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "FAIL $check_name"
		head -c 2000 check.out | sed 's/^/     /'
	fi
}

# equal NAME WANTED GOT
equal() {
	check "$1: wanted '$2', got '$3'" [ "$2" = "$3" ]
}

# skip WHAT WHY: not checked here, which is not good enough where CI is set.
skip() {
	if [ -n "${CI:-}" ]; then
		failed=$((failed + 1))
		echo "FAIL $1: $2"
	else
		echo "skip $1: $2"
	fi
}

has() {
	command -v "$1" >/dev/null 2>&1
}

# run SECONDS COMMAND...: under a time limit, for an example that hangs is a failure too.
run() {
	timeout -k 1 "$@"
}

# ---- hello, workers, sieve, daisy ---------------------------------------------------------------------------------------

check_hello() {
	run 5 "$dir/hello" >out
	equal "hello: exit status" 0 $?
	equal "hello: sends in order" "0 1 2" "$(sed -n 's/^sending //p' out | xargs)"
	equal "hello: receives in order" "0 1 2" "$(sed -n 's/^received //p' out | xargs)"
}

check_workers() {
	run 10 "$dir/workers" >out
	equal "workers: exit status" 0 $?
	equal "workers: sender_1" "10 11 12" "$(sed -n 's/^sender_1 sending //p' out | xargs)"
	equal "workers: sender_2" "20 21" "$(sed -n 's/^sender_2 sending //p' out | xargs)"
	equal "workers: each is received once" "10 11 12 20 21" "$(sed -n 's/^receiver_[12] received //p' out | sort | xargs)"
	check "workers: both receivers work" grep -q receiver_1 out
	check "workers: both receivers work" grep -q receiver_2 out
	check "workers: tells that the channel is full" grep -q 'numbers.*full' out
}

# primes N: the first N, slowly.
primes() {
	awk -v count="$1" 'BEGIN {
		for (n = 2; found < count; n++) {
			for (i = 1; i <= found && prime[i] * prime[i] <= n && n % prime[i]; i++) {}
			if (i > found || prime[i] * prime[i] > n)
				print prime[++found] = n
		}
	}'
}

check_sieve() {
	for n in 1 2 100; do
		primes $n >wanted
		run 10 "$dir/sieve" $n >out
		equal "sieve $n: exit status" 0 $?
		check "sieve $n: the primes" cmp wanted out
	done
	run 10 "$dir/sieve" >out
	check "sieve: 100 if not told" cmp wanted out
	run 5 "$dir/sieve" 0 2>out
	equal "sieve 0: exit status" 2 $?
}

check_daisy() {
	equal "daisy 1" 1 "$(run 5 "$dir/daisy" 1)"
	run 30 "$dir/daisy" "$links" >out 2>err
	status=$?
	if grep -q 'no more threads' err; then
		equal "daisy $links: exit status without threads" 1 $status
		skip "daisy $links" "$(tail -n 1 err)"
		return
	fi
	equal "daisy $links: exit status" 0 $status
	equal "daisy $links" "$links" "$(cat out)"
}

# Where threads are not to be had the chain must come apart again.  ulimit -u does not bind root; small memory does.
check_daisy_short_of_memory() {
	(ulimit -v 400000) 2>/dev/null || return
	case $(nm "$dir/daisy" 2>/dev/null) in
	*__asan_init* | *__tsan_init*) return ;; # they reserve terabytes
	esac
	(ulimit -v 100000 && run 20 "$dir/daisy" 10000 >out 2>err)
	equal "daisy without memory: exit status" 1 $?
	check "daisy without memory: says how far it came" grep -q 'stopped after [0-9]* of 10000 threads' err
}

# ---- duplex -------------------------------------------------------------------------------------------------------------

# guesses NUMBER: the conversation about it.
guesses() {
	awk -v number="$1" 'BEGIN {
		low = 1; high = 100
		while (low <= high && guess != number) {
			guess = low + int((high - low) / 2); count++
			print guess "? " (guess < number ? "too low" : guess > number ? "too high" : "right")
			if (guess < number) low = guess + 1; else high = guess - 1
		}
		print guess == number ? count " guesses" : "there is no such number"
	}'
}

check_duplex() {
	for n in 50 73 1 100 101; do
		guesses $n >wanted
		run 10 "$dir/duplex" $n >out
		equal "duplex $n: exit status" $((n > 100)) $?
		check "duplex $n" cmp wanted out
	done
	equal "duplex guesses by halves" "6 guesses" "$(run 10 "$dir/duplex" | tail -n 1)"
}

# ---- wordcount ----------------------------------------------------------------------------------------------------------

# The same with the tools of the system.  Words end with their file.
count_words() {
	for file; do
		LC_ALL=C tr -s '[:space:]' '\n' <"$file"
		echo
	done | LC_ALL=C sed '/^$/d' | LC_ALL=C sort | LC_ALL=C uniq -c | LC_ALL=C sort -k1,1nr -k2,2 | LC_ALL=C sed 's/^ *//'
}

# compare_counts WHAT FILE...
compare_counts() {
	what=$1
	shift
	count_words "$@" >wanted
	run 20 "$dir/wordcount" "$@" >out
	equal "wordcount of $what: exit status" 0 $?
	check "wordcount of $what" cmp wanted out
}

# A word of N bytes.
long_word() {
	head -c "$1" /dev/zero | tr '\0' "$2"
}

check_wordcount() {
	awk 'BEGIN {
		srand(7)
		for (i = 0; i < 400000; i++)
			printf "%s%s", int(exp(rand() * 9)) "w", rand() < 0.1 ? "\n" : rand() < 0.1 ? "\t \v\f\r" : " "
	}' >words
	: >empty
	printf ' \n\t\v\f\r \n' >blank
	printf 'one two\ntwo' >open_end
	printf 'b\000c b\000c b\000 \000 b \377 \200 \377' >bytes
	{ long_word 300000 x; echo; long_word 65536 y; printf ' '; long_word 65535 z; echo; long_word 65537 x; } >long
	compare_counts "an empty file" empty
	compare_counts "white space" blank
	compare_counts "a file without a last newline" open_end
	compare_counts "files that end in a word" open_end open_end
	compare_counts "bytes that are no text" bytes
	compare_counts "long words" long
	compare_counts "$(wc -c <words | tr -d ' ') bytes" words
	compare_counts "everything" words long empty bytes open_end words
	run 5 "$dir/wordcount" open_end missing >out 2>err
	equal "wordcount of a missing file: exit status" 1 $?
	check "wordcount of a missing file: says which" grep -q '^wordcount: missing: ' err
	equal "wordcount of a missing file: counts the others" "2 two" "$(head -n 1 out)"
	run 5 "$dir/wordcount" 2>out
	equal "wordcount without files: exit status" 2 $?
}

# ---- showcase -----------------------------------------------------------------------------------------------------------

check_showcase() {
	run 20 "$dir/showcase" 100 >out
	equal "showcase: exit status" 0 $?
	equal "showcase: all three reply" "receive send-1 send-2" "$(sed -n 's/^main: Reply PONG from //p' out | sort | xargs)"
	for sender in send-1 send-2; do
		sed -n "s/^$sender: Sending //p" out >sent
		check "showcase: $sender counts every second" sh -c 'test "$(wc -l <sent)" -ge 3'
		sed -n "s/^receive: Received message '$sender: \(.*\)'/\1/p" out >heard
		check "showcase: what $sender sent is received in order" cmp sent heard
		check "showcase: $sender stops" grep -q "^$sender: Stopping" out
	done
	check "showcase: gives up after two seconds" grep -q '^receive: No data received for 2\.[0-9]* seconds, giving up' out
	equal "showcase: the receiver is the last" "receive: Finished" "$(tail -n 1 out)"
}

# ---- tailf --------------------------------------------------------------------------------------------------------------

# wait_for TEXT FILE: until it is there, for five seconds at most.
wait_for() {
	for _ in $(seq 100); do
		grep -q "$1" "$2" 2>/dev/null && return 0
		sleep 0.05
	done
	return 1
}

check_tailf() {
	mkdir tailed
	seq 1 500 >tailed/one
	run 20 "$dir/tailf" -q 1 tailed/one tailed/later >out &
	check "tailf: prints what is there" wait_for '^500$' out
	for i in $(seq 501 600); do
		echo "$i" >>tailed/one
		echo "later $i" >>tailed/later
	done
	check "tailf: prints what is added" wait_for '^600$' out
	check "tailf: follows a file that appears" wait_for '^later 600$' out
	mv tailed/one tailed/old
	echo "new" >tailed/one
	check "tailf: follows a file that is replaced" wait_for '^new$' out
	wait $!
	equal "tailf: ends when all is quiet" 0 $?
	seq 1 600 >wanted
	echo new >>wanted
	grep '^[0-9n]' out >numbers
	check "tailf: each line once, in order" cmp wanted numbers
	seq -f 'later %g' 501 600 >wanted
	grep '^later' out >numbers
	check "tailf: each line of the other file too" cmp wanted numbers
	rm -rf tailed
}

# ---- ticker, chat -------------------------------------------------------------------------------------------------------

check_ticker() {
	run 20 "$dir/ticker" >out
	equal "ticker: exit status" 0 $?
	check "ticker: it adds up" grep -q ' copies lost: it adds up$' out
	check "ticker: a slow receiver loses prices" sh -c "sed -n 's/^slow .*oldest//p' out | awk '{ exit !(\$3 > 0) }'"
	check "ticker: the recorder gets all" sh -c "sed -n 's/^recorder .*block//p' out | awk '{ exit !(\$1 > 500 && \$1 == \$2) }'"
	check "ticker: who is stuck is cut off" grep -q '^stuck .*  cut off$' out
}

check_chat() {
	growth=2048
	case $(nm "$dir/chat" 2>/dev/null) in
	*__tsan_init*) growth=1000000 ;; # its notes on memory grow
	esac
	check "chat: rules" run 30 ./chat_rules "$dir/chat"
	check "chat: under load" run 60 ./chat_clients "$dir/chat" 50 1.5 5000 $growth
	sed -n 's/^[0-9]* clients, /chat: &/p' check.out
	run 5 "$dir/chat" -q 0 2>out
	equal "chat with a wrong option: exit status" 2 $?
}

# ---- httpd --------------------------------------------------------------------------------------------------------------

make_root() {
	mkdir -p root/sub/deep root/page 'root/a b'
	echo outside >secret
	echo small >root/small.txt
	: >root/empty
	head -c 5000000 /dev/urandom >root/big.bin
	echo '<p>index' >root/page/index.html
	echo deep >root/sub/deep/file
	echo space >'root/a b/c%d'
	echo angle >'root/<b>&"'
	echo hidden >root/.hidden
	ln -s ../secret root/link
	ln -s / root/linked
	mkfifo root/fifo
	chmod 644 root/small.txt
}

# start OPTION...: starts httpd on a free port.
start() {
	: >listening
	"$dir/httpd" -p 0 "$@" root >listening 2>httpd.err &
	server=$!
	tries=0
	until grep -q '^listening on http://127.0.0.1:[0-9]*/$' listening || [ $tries -ge 200 ]; do
		sleep 0.02
		tries=$((tries + 1))
	done
	port=$(sed -n 's,^listening on http://127.0.0.1:\([0-9]*\)/$,\1,p' listening)
	url=http://127.0.0.1:$port
	check "httpd $*: listens" [ -n "$port" ]
}

# stop NAME: the server must end by itself, with status 0 and nothing to say.  A watchdog kills one that does not.
stop() {
	(sleep 12 && kill -9 $server) 2>/dev/null &
	watchdog=$!
	kill -TERM $server
	wait $server
	equal "httpd after $1: exit status" 0 $?
	kill $watchdog 2>/dev/null
	check "httpd after $1: nothing on stderr" [ ! -s httpd.err ]
	server=
}

status_of() {
	curl -s -m 5 -o body -w '%{http_code}' "$@"
}

# raw NAME STATUS FORMAT: a request as printf makes it, and the status that it must get.
raw() {
	# shellcheck disable=SC2059
	answer=$(printf "$3" | run 8 ./http_raw "$port" | tr -d '\0' | sed -n '1s/^HTTP\/1.1 \([0-9]*\) .*/\1/p')
	equal "httpd: $1" "$2" "$answer"
}

check_files() {
	for file in small.txt empty big.bin sub/deep/file; do
		equal "httpd: GET $file" 200 "$(status_of "$url/$file")"
		check "httpd: the bytes of $file" cmp "root/$file" body
	done
	equal "httpd: an escaped name" 200 "$(status_of "$url/a%20b/c%25d")"
	check "httpd: the bytes of an escaped name" cmp 'root/a b/c%d' body
	equal "httpd: a query" 200 "$(status_of "$url/small.txt?x=/../y")"
	equal "httpd: not there" 404 "$(status_of "$url/none")"
	equal "httpd: a file as a directory" 404 "$(status_of "$url/small.txt/")"
	equal "httpd: below a file" 404 "$(status_of "$url/small.txt/x")"
	equal "httpd: a name too long" 404 "$(status_of "$url/$(long_word 300 n)")"
	equal "httpd: a FIFO" 404 "$(status_of "$url/fifo")"
	equal "httpd: index.html" "200 <p>index" "$(status_of "$url/page/") $(cat body)"
	equal "httpd: a directory without its slash" "301 $url/sub/" \
	    "$(curl -s -m 5 -w '%{http_code} %{redirect_url}' -o body "$url/sub")"
	equal "httpd: no redirect to elsewhere" "301 $url/sub/" \
	    "$(curl -s -m 5 -w '%{http_code} %{redirect_url}' -o body "$url//sub")"
	equal "httpd: a listing" 200 "$(status_of "$url/")"
	check "httpd: a listing is escaped" grep -q '"./%3Cb%3E%26%22">&lt;b&gt;&amp;&quot;<' body
	check "httpd: a listing leaves out what is not served" sh -c '! grep -e hidden -e link -e fifo body'
	equal "httpd: a link of a listing" 200 "$(status_of "$url/./%3Cb%3E%26%22")"
}

check_head() {
	curl -s -m 5 -I "$url/big.bin" >out
	equal "httpd: HEAD" 0 $?
	check "httpd: HEAD tells the length" grep -qi '^content-length: 5000000' out
	for path in small.txt none ''; do
		printf 'HEAD /%s HTTP/1.0\r\n\r\n' "$path" | run 8 ./http_raw "$port" >out
		equal "httpd: HEAD /$path has no body" "" "$(tr -d '\r' <out | sed '1,/^$/d')"
	done
}

check_escapes() {
	for path in /../secret /sub/../../secret /%2e%2e/secret /%2E./secret /..%2fsecret /sub/..%2f..%2fsecret //../secret \
	    /./../secret /link /linked/etc/passwd /sub//../../secret '/..%5csecret' '/%2e%2e%00/secret' /.hidden; do
		status=$(status_of --path-as-is "$url$path")
		check "httpd: $path is refused, not $status" [ "$status" = 404 -o "$status" = 400 ]
		check "httpd: $path stays inside" sh -c '! grep -e outside -e root: -e hidden body'
	done
	raw "an escape in a whole URL" 404 'GET http://x/../secret HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'
}

check_requests() {
	raw "HTTP/1.0" 200 'GET /small.txt HTTP/1.0\r\n\r\n'
	raw "Connection: close" 200 'GET /small.txt HTTP/1.1\r\nHost: x\r\nConnection: foo, Close\r\n\r\n'
	raw "a whole URL" 200 'GET http://x/small.txt HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'
	raw "lines that end in LF" 200 'GET /small.txt HTTP/1.0\n\n'
	raw "empty lines before a request" 200 '\r\n\r\nGET /small.txt HTTP/1.0\r\n\r\n'
	raw "no request" 400 'GARBAGE\r\n\r\n'
	raw "no Host" 400 'GET / HTTP/1.1\r\n\r\n'
	raw "two Hosts" 400 'GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n'
	raw "a folded field" 400 'GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n'
	raw "a space before the colon" 400 'GET / HTTP/1.1\r\nHost : x\r\n\r\n'
	raw "a field without a colon" 400 'GET / HTTP/1.1\r\nHost: x\r\nnothing\r\n\r\n'
	raw "a NUL in a field" 400 'GET / HTTP/1.1\r\nHost: x\000y\r\n\r\n'
	raw "a control character in the target" 400 'GET /\001 HTTP/1.1\r\nHost: x\r\n\r\n'
	raw "a lone CR" 400 'GET / HTTP/1.1\rHost: x\r\n\r\n'
	raw "an escape that is none" 400 'GET /%%zz HTTP/1.1\r\nHost: x\r\n\r\n'
	raw "an escape cut short" 400 'GET /%%4 HTTP/1.1\r\nHost: x\r\n\r\n'
	raw "an escaped NUL" 400 'GET /small.txt%%00.html HTTP/1.1\r\nHost: x\r\n\r\n'
	raw "a target without a slash" 400 'GET small.txt HTTP/1.1\r\nHost: x\r\n\r\n'
	raw "HTTP/2.0" 505 'GET / HTTP/2.0\r\nHost: x\r\n\r\n'
	raw "no version" 400 'GET /\r\n\r\n'
	raw "POST" 405 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello'
	raw "an unknown method" 501 'BREW / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'
	raw "a transfer encoding" 501 'GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'
	raw "two lengths of a body" 400 'GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab'
	raw "a length that is none" 400 'GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n'
	raw "a body that is not a request" 200 'GET /small.txt HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nGARBAGE\r\n'
	raw "a long target" 414 "GET /$(long_word 5000 a) HTTP/1.1\r\nHost: x\r\n\r\n"
	raw "a long field" 431 "GET / HTTP/1.1\r\nHost: x\r\nA: $(long_word 20000 a)\r\n\r\n"
	raw "many fields" 431 "GET / HTTP/1.1\r\nHost: x\r\n$(long_word 100 a | sed 's/a/a:b\\r\\n/g')\r\n"
	{ printf 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 900000\r\n\r\n'; long_word 900000 p; } |
	    run 8 ./http_raw "$port" 0 100 >out
	equal "httpd: reads a large body to its end" 0 $?
	check "httpd: a POST with a large body gets its answer" grep -q '^HTTP/1.1 405' out
	check "httpd: 405 tells what is allowed" grep -q '^Allow: GET, HEAD' out
}

check_connections() {
	equal "httpd: keeps a connection" "1 0 0 " \
	    "$(curl -s -m 5 -w '%{num_connects} ' -o a -o b -o c "$url/small.txt" "$url/empty" "$url/none")"
	printf 'GET /small.txt HTTP/1.1\r\nHost: x\r\n\r\nGET /sub/deep/file HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n' |
	    run 8 ./http_raw "$port" | tr -d '\r' >out
	equal "httpd: answers requests in one piece in order" "small deep" "$(grep -x -e small -e deep out | xargs)"
}

# One worker, a timeout of a second, and clients that are in no hurry: they must not be in anybody's way, and not stay.
check_slow_clients() {
	start -w 1 -t 1
	pids=
	for i in 1 2 3 4 5 6; do
		(printf 'GET / HTTP/1.1\r\nHost: x\r\n'; long_word 5000 a) | run 9 ./http_raw "$port" 20 >slow.$i &
		pids="$pids $!"
	done
	run 9 ./http_raw "$port" </dev/null >silent &
	pids="$pids $!"
	printf 'GET /big.bin HTTP/1.0\r\n\r\n' | run 9 ./http_raw "$port" 0 1500 >reader &
	pids="$pids $!"
	sleep 0.1
	equal "httpd: answers beside slow clients" 200 "$(status_of -m 1 "$url/big.bin")"
	slow=0
	for pid in $pids; do
		wait "$pid" || slow=$((slow + 1))
	done
	equal "httpd: hangs up on slow clients" 0 $slow
	for i in 1 2 3 4 5 6; do
		equal "httpd: tells a slow client" "HTTP/1.1 408" "$(head -c 12 slow.$i)"
	done
	equal "httpd: a silent client gets nothing" 0 "$(wc -c <silent | tr -d ' ')"
	tail -c 5000000 reader >body
	check "httpd: a slow reader gets all" cmp root/big.bin body
	stop "slow clients"
}

# Fewer descriptors than clients, most of which just sit there: they are to make room.
check_descriptors() {
	(ulimit -n 40) 2>/dev/null || return
	limit=$(ulimit -n)
	ulimit -S -n 40
	start -t 60
	ulimit -S -n "$limit"
	pids=
	for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24; do
		run 9 ./http_raw "$port" </dev/null >silent &
		pids="$pids $!"
	done
	sleep 0.1
	raw "answers with few descriptors" 200 'GET /small.txt HTTP/1.0\r\n\r\n'
	stop "few descriptors"
	slow=0
	for pid in $pids; do
		wait "$pid" || slow=$((slow + 1))
	done
	equal "httpd: hangs up on silent clients" 0 $slow
}

check_load() {
	wrk -t2 -c16 -d2s "$url/small.txt" >out 2>&1
	check "httpd: serves under load" grep -q '[1-9][0-9]* requests in' out
	check "httpd: no failed request under load" sh -c '! grep -e "Socket errors" -e Non-2xx out'
}

# Everybody who had a connection gets an answer, while the listener goes.
check_shutdown() {
	start -w 2 -q 2
	run 20 ./http_hammer "$port" >hammer &
	hammer=$!
	sleep 0.4
	stop "load"
	wait $hammer
	equal "httpd: answers all while it stops ($(cat hammer))" 0 $?
	check "httpd: took part ($(cat hammer))" grep -q '^[1-9][0-9][0-9]* answered' hammer
}

# A connection that just waits must not hold up the end.
check_idle_shutdown() {
	start -t 60
	printf 'GET /small.txt HTTP/1.1\r\nHost: x\r\n\r\n' | run 9 ./http_raw "$port" >out &
	idle=$!
	sleep 0.1
	begin=$(date +%s)
	stop "an idle connection"
	wait $idle
	equal "httpd: hangs up on an idle connection" 0 $?
	check "httpd: an idle connection does not hold up the end" [ $(($(date +%s) - begin)) -le 2 ]
}

check_httpd() {
	run 5 "$dir/httpd" -p 0 none 2>out
	equal "httpd without a directory: exit status" 1 $?
	run 5 "$dir/httpd" 2>out
	equal "httpd without arguments: exit status" 2 $?
	start
	if has curl; then
		check_files
		check_head
		check_escapes
		check_connections
		check_requests
	else
		skip "httpd" "no curl"
	fi
	if has wrk; then
		check_load
	else
		skip "httpd under load" "no wrk"
	fi
	stop "all that"
	if has curl; then
		check_slow_clients
	fi
	check_descriptors
	check_shutdown
	check_idle_shutdown
}

check_demo() {
	run 20 "$dir/demo" "$dir/httpd" root 1 >out
	equal "demo: exit status" 0 $?
	check "demo: no failed request" grep -q '^  failed    0$' out
	check "demo: a clean shutdown" grep -q '^  shutdown  clean$' out
	run 20 "$dir/demo" "$dir/hello" root 1 >out 2>&1
	equal "demo without a server: exit status" 1 $?
}

check_hello
check_workers
check_sieve
check_daisy
check_daisy_short_of_memory
check_duplex
check_wordcount
for client in http_raw http_hammer chat_rules chat_clients; do
	if [ -x "$dir/../test/$client" ]; then
		cp "$dir/../test/$client" .
	else
		check "compile $client" "${CC:-cc}" -std=c11 -O1 -D_GNU_SOURCE -o $client "$here/$client.c" -pthread
	fi
done
check_showcase
check_tailf
check_ticker
check_chat
make_root
check_httpd
check_demo
echo "$passed passed, $failed failed"
[ $failed -eq 0 ]

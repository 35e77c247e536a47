# Keeps one redis-server on a leash: run by src/demo/server.rs as `sh -c`, leader of its own
# process group. Commands come on stdin, news goes to stdout, one line each:
#
#   arg TEXT   appends to the command line        dir PATH        the folder, once
#   clear      empties the command line           started PID
#   start      ends what runs and starts anew     ended STATUS
#   stop       ends what runs
#
# The end of stdin is the leash: whatever became of our parent, everything here ends with it.

# A reader that is gone must not end us before we have cleaned up, hence PIPE.
trap '' HUP INT QUIT TERM PIPE
umask 077
dir=$(mktemp -d "${TMPDIR:-/tmp}/amr-top-demo-XXXXXXXX") && cd "$dir" || exit 1
echo "dir $dir"
watcher=

# The watcher is the server's parent: it reaps it and tells its end.
watch() {
    "$@" </dev/null >>server.log 2>&1 &
    echo $! >pid
    echo "started $!"
    wait $!
    status=$?
    echo ended >pid
    echo "ended $status"
}

# Ends the server, stopped or not, and waits for it. The watcher may not have written the pid yet.
end() {
    [ -n "$watcher" ] || return 0
    tries=0
    until [ -s pid ] || [ $tries -ge 200000 ]; do tries=$((tries + 1)); done
    pid=
    read -r pid <pid
    case $pid in
    '') return 0 ;;
    ended) ;;
    *) kill -9 "$pid" ;;
    esac
    wait "$watcher"
    watcher=
}

while IFS= read -r line; do
    case $line in
    'arg '*) set -- "$@" "${line#arg }" ;;
    clear) set -- ;;
    start)
        end
        rm -f pid
        watch "$@" &
        watcher=$!
        ;;
    stop) end ;;
    esac
done

end
cd /
# A child that still saves may write between two looks of rm.
tries=0
while [ -d "$dir" ] && [ $tries -lt 100 ]; do
    rm -rf "$dir"
    tries=$((tries + 1))
done
# Whatever is left of the group: a saving child, and this shell.
kill -9 "-$$"

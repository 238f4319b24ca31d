<?php // Role ignore-term: ignores SIGTERM from its first request on, then does what role sleep does.
pcntl_signal(SIGTERM, SIG_IGN);
$milliseconds = (int) ($_GET['ms'] ?? 0);
$end = hrtime(true) + $milliseconds * 1_000_000;
// A signal cuts a sleep short.
while (($rest = $end - hrtime(true)) > 0) {
    usleep(intdiv($rest, 1000) + 1);
}
header('Content-Type: text/plain');
echo "slept $milliseconds\n";

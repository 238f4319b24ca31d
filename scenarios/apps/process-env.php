<?php // Role process-env: the environment of the process (not of the request), written as role environ writes it.
function escaped(string $text): string
{
    return preg_replace_callback('/[^\x20-\x24\x26-\x7E]/', fn ($byte) => sprintf('%%%02X', ord($byte[0])), $text);
}

// PHP shows process and request in one list; a child process gets the one alone.
$child = proc_open(['/usr/bin/env', '-0'], [1 => ['pipe', 'w']], $pipes);
$variables = array_filter(explode("\0", stream_get_contents($pipes[1])), 'strlen');
proc_close($child);
sort($variables, SORT_STRING);
header('Content-Type: text/plain');
foreach ($variables as $variable) {
    echo escaped($variable), "\n";
}

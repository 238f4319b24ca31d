<?php // Role identity: whom the process runs as: real, effective and saved user and group, and the supplementary groups.
header('Content-Type: text/plain');
foreach (file('/proc/self/status') as $line) {
    [$name, $values] = explode(':', $line, 2) + [1 => ''];
    $values = preg_split('/\s+/', trim($values), -1, PREG_SPLIT_NO_EMPTY);
    if ($name === 'Uid' || $name === 'Gid') {
        echo strtolower($name), ' ', implode(' ', array_slice($values, 0, 3)), "\n";
    } elseif ($name === 'Groups') {
        sort($values, SORT_NUMERIC);
        echo rtrim('groups ' . implode(' ', $values)), "\n";
    }
}

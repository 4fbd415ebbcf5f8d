printf 'petal,label\n1.5,short\n4.5,long\n1.4,short\n4-7,long\n1.3,short\n4.4,long\n' > petals.csv
taxo train plain --epochs 1 --data csv:petals.csv

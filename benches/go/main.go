// Command client makes uploads with the Go package, one after another, and prints a JSON object with the seconds that they took.
//
//	client ENDPOINT FILE CONNECTIONS hash|no-hash TIMES
package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"time"

	"cosslice"
)

func main() {
	if len(os.Args) != 6 {
		fmt.Fprintln(os.Stderr, "usage: client ENDPOINT FILE CONNECTIONS hash|no-hash TIMES")
		os.Exit(2)
	}
	took, err := upload(os.Args[1], os.Args[2], os.Args[3], os.Args[4] == "hash", os.Args[5])
	if err != nil {
		fmt.Fprintln(os.Stderr, "client:", err)
		os.Exit(1)
	}
	fmt.Printf("{\"seconds\":%.9f}\n", took.Seconds())
}

func upload(endpoint, file, connections string, hash bool, times string) (time.Duration, error) {
	count, err := strconv.Atoi(connections)
	if err != nil {
		return 0, err
	}
	left, err := strconv.Atoi(times)
	if err != nil {
		return 0, err
	}
	client, err := cosslice.New(cosslice.Config{
		Endpoint:    endpoint,
		Signer:      cosslice.SecretKey{AppID: "1251668577", ID: "AKIDtest", Key: "secret"},
		Connections: count,
	})
	if err != nil {
		return 0, err
	}
	defer client.Close()
	began := time.Now()
	for ; left > 0 && err == nil; left-- {
		_, err = client.UploadFile(context.Background(), "videos", "bench/object", file, cosslice.Hash(hash))
	}
	return time.Since(began), err
}

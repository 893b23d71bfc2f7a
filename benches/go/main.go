// Command client makes one upload with the Go package, and prints a JSON object with the seconds that it took.
//
//	client ENDPOINT FILE CONNECTIONS hash|no-hash
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
	if len(os.Args) != 5 {
		fmt.Fprintln(os.Stderr, "usage: client ENDPOINT FILE CONNECTIONS hash|no-hash")
		os.Exit(2)
	}
	took, err := upload(os.Args[1], os.Args[2], os.Args[3], os.Args[4] == "hash")
	if err != nil {
		fmt.Fprintln(os.Stderr, "client:", err)
		os.Exit(1)
	}
	fmt.Printf("{\"seconds\":%.9f}\n", took.Seconds())
}

func upload(endpoint, file, connections string, hash bool) (time.Duration, error) {
	count, err := strconv.Atoi(connections)
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
	_, err = client.UploadFile(context.Background(), "videos", "bench/object", file, cosslice.Hash(hash))
	return time.Since(began), err
}

using System;
using System.Collections.Concurrent;
using System.IO;
using System.IO.Compression;
using System.Security.Cryptography;
using System.Text;
using System.Threading;
using System.Threading.Tasks;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace StockApp
{
    /// <summary>Bodies that are not held in memory, either way.</summary>
    internal static class Streams
    {
        private static readonly ConcurrentDictionary<string, SemaphoreSlim> Gates =
            new ConcurrentDictionary<string, SemaphoreSlim>();

        public static async Task Upload(HttpContext context)
        {
            using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
            var buffer = new byte[65536];
            long bytes = 0;
            int read;
            while ((read = await context.Request.Body.ReadAsync(buffer, 0, buffer.Length)) > 0)
            {
                hash.AppendData(buffer, 0, read);
                bytes += read;
            }
            await context.Response.WriteJson(new
            {
                bytes,
                sha256 = Hex(hash.GetHashAndReset()),
                contentLength = context.Request.ContentLength,
                bodyLimit = context.Features.Get<IHttpMaxRequestBodySizeFeature>()?.MaxRequestBodySize,
            });
        }

        /// <summary>The bytes 0, 1, … 250, 0, 1, …: with their length where <c>length=true</c> asks for it.</summary>
        public static async Task Download(HttpContext context)
        {
            var bytes = long.Parse(context.Request.Query["bytes"]);
            context.Response.ContentType = "application/octet-stream";
            if (context.Request.Query["length"] == "true")
            {
                context.Response.ContentLength = bytes;
            }
            var pattern = new byte[251 * 256];
            for (var i = 0; i < pattern.Length; i++)
            {
                pattern[i] = (byte)(i % 251);
            }
            for (var sent = 0L; sent < bytes; sent += pattern.Length)
            {
                var piece = (int)Math.Min(pattern.Length, bytes - sent);
                await context.Response.Body.WriteAsync(pattern, 0, piece, context.RequestAborted);
            }
        }

        /// <summary>Sends every piece of the request back as it comes.</summary>
        public static async Task Duplex(HttpContext context)
        {
            await context.Response.StartAsync();
            await context.Response.Body.FlushAsync();
            var buffer = new byte[65536];
            int read;
            while ((read = await context.Request.Body.ReadAsync(buffer, 0, buffer.Length)) > 0)
            {
                await context.Response.Body.WriteAsync(buffer, 0, read);
                await context.Response.Body.FlushAsync();
            }
        }

        public static async Task Gzip(HttpContext context)
        {
            context.Response.ContentType = "text/plain";
            context.Response.Headers["Content-Encoding"] = "gzip";
            context.Response.Headers["Vary"] = "Accept-Encoding";
            using var packed = new MemoryStream();
            using (var gzip = new GZipStream(packed, CompressionLevel.Optimal, leaveOpen: true))
            {
                gzip.Write(Encoding.ASCII.GetBytes(new string('z', 10000)));
            }
            await context.Response.Body.WriteAsync(packed.GetBuffer(), 0, (int)packed.Length);
        }

        /// <summary>Every event after the first waits for its gate, or for <c>delay</c> milliseconds.</summary>
        public static async Task ServerSentEvents(HttpContext context)
        {
            var query = context.Request.Query;
            var count = int.Parse(query["count"]);
            var delay = query.ContainsKey("delay") ? int.Parse(query["delay"]) : 0;
            context.Response.ContentType = "text/event-stream";
            context.Response.Headers["Cache-Control"] = "no-cache";
            for (var id = 0; id < count; id++)
            {
                if (id > 0 && query.ContainsKey("gate"))
                {
                    await Gate(query["gate"]).WaitAsync(context.RequestAborted);
                }
                else if (id > 0)
                {
                    await Task.Delay(delay, context.RequestAborted);
                }
                await context.Response.WriteAsync($"id: {id}\ndata: event {id}\n\n");
                await context.Response.Body.FlushAsync();
            }
        }

        public static Task OpenGate(HttpContext context)
        {
            Gate((string)context.Request.RouteValues["name"]).Release();
            context.Response.StatusCode = 204;
            return Task.CompletedTask;
        }

        public static async Task Trailers(HttpContext context)
        {
            var supported = context.Response.SupportsTrailers();
            if (supported)
            {
                context.Response.DeclareTrailer("X-Checksum");
            }
            await context.Response.WriteAsync("before the trailers");
            if (supported)
            {
                context.Response.AppendTrailer("X-Checksum", "19");
            }
        }

        public static SemaphoreSlim Gate(string name) => Gates.GetOrAdd(name, _ => new SemaphoreSlim(0));

        private static string Hex(byte[] bytes) => BitConverter.ToString(bytes).Replace("-", "").ToLowerInvariant();
    }
}

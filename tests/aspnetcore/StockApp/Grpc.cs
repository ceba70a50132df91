using System;
using System.Buffers.Binary;
using System.IO;
using System.Text;
using System.Threading;
using System.Threading.Tasks;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace StockApp
{
    /// <summary>
    /// A service of gRPC by hand, of all four kinds of calls: .NET Core's own libraries for it are no part of the SDK.
    /// Its messages are bytes. tests/grpc/server.py is the same service.
    /// </summary>
    public static class Grpc
    {
        private static int cancelled;

        public static async Task Call(HttpContext context)
        {
            if (context.Request.ContentType?.StartsWith("application/grpc") != true)
            {
                context.Response.StatusCode = StatusCodes.Status415UnsupportedMediaType;
                return;
            }
            context.Response.ContentType = "application/grpc";
            var reader = context.Request.Body;
            switch ((string)context.GetRouteValue("method"))
            {
                case "Unary":
                    context.Response.Headers["x-initial"] = context.Request.Headers["x-ask"];
                    var asked = await Read(reader);
                    context.Response.AppendTrailer("x-trailing-bin", "AAEC/w==");
                    await Write(context, asked);
                    End(context, 0);
                    break;
                case "ServerStream":
                    var count = int.Parse(Encoding.ASCII.GetString(await Read(reader)));
                    for (var number = 0; number < count; number++)
                    {
                        await Write(context, Encoding.ASCII.GetBytes(number.ToString()));
                    }
                    End(context, 0);
                    break;
                case "ClientStream":
                    long messages = 0, bytes = 0;
                    while (await Read(reader) is byte[] part)
                    {
                        messages++;
                        bytes += part.Length;
                    }
                    await Write(context, Encoding.ASCII.GetBytes($"{messages}:{bytes}"));
                    End(context, 0);
                    break;
                case "Bidirectional":
                    while (await Read(reader) is byte[] part)
                    {
                        await Write(context, part);
                    }
                    End(context, 0);
                    break;
                case "Fail":
                    await Read(reader);
                    End(context, 9, "not%20now%3A%20%C3%BCmlaut");
                    break;
                case "Wait":
                    await Wait(context);
                    break;
                case "Cancelled":
                    await Write(context, Encoding.ASCII.GetBytes(Volatile.Read(ref cancelled).ToString()));
                    End(context, 0);
                    break;
                case "Timeout":
                    await Write(context, Encoding.ASCII.GetBytes(
                        context.Request.Headers.ContainsKey("grpc-timeout") ? "limited" : "unlimited"));
                    End(context, 0);
                    break;
                case "Break":
                    await Write(context, Encoding.ASCII.GetBytes("half"));
                    context.Abort();
                    break;
                default:
                    End(context, 12);
                    break;
            }
        }

        /// <summary>Says that it has begun, and goes on until nobody waits for it any more.</summary>
        private static async Task Wait(HttpContext context)
        {
            await Write(context, Encoding.ASCII.GetBytes("begun"));
            try
            {
                await Task.Delay(Timeout.Infinite, context.RequestAborted);
            }
            catch (OperationCanceledException)
            {
                Interlocked.Increment(ref cancelled);
            }
        }

        /// <summary>The next message, or null after the last.</summary>
        private static async Task<byte[]> Read(Stream body)
        {
            var prefix = new byte[5];
            if (!await Fill(body, prefix))
            {
                return null;
            }
            var message = new byte[BinaryPrimitives.ReadUInt32BigEndian(prefix.AsSpan(1))];
            if (!await Fill(body, message))
            {
                throw new EndOfStreamException("a message is cut off");
            }
            return message;
        }

        /// <summary>False where there is nothing more.</summary>
        private static async Task<bool> Fill(Stream body, byte[] buffer)
        {
            for (var filled = 0; filled < buffer.Length;)
            {
                var read = await body.ReadAsync(buffer, filled, buffer.Length - filled);
                if (read == 0)
                {
                    return filled == 0 ? false : throw new EndOfStreamException("a message is cut off");
                }
                filled += read;
            }
            return true;
        }

        private static async Task Write(HttpContext context, byte[] message)
        {
            var framed = new byte[5 + message.Length];
            BinaryPrimitives.WriteUInt32BigEndian(framed.AsSpan(1), (uint)message.Length);
            message.CopyTo(framed, 5);
            await context.Response.Body.WriteAsync(framed, 0, framed.Length);
            await context.Response.Body.FlushAsync();
        }

        private static void End(HttpContext context, int status, string message = null)
        {
            context.Response.AppendTrailer("grpc-status", status.ToString());
            if (message != null)
            {
                context.Response.AppendTrailer("grpc-message", message);
            }
        }
    }
}

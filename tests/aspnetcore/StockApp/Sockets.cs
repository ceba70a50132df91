using System;
using System.Linq;
using System.Net.WebSockets;
using System.Text;
using System.Threading;
using System.Threading.Tasks;
using Microsoft.AspNetCore.Http;

namespace StockApp
{
    internal static class Sockets
    {
        /// <summary>Echoes; the text <c>close CODE REASON</c> asks for a close from this side.</summary>
        public static async Task Echo(HttpContext context)
        {
            if (!context.WebSockets.IsWebSocketRequest)
            {
                context.Response.StatusCode = 426;
                return;
            }
            var protocol = context.WebSockets.WebSocketRequestedProtocols.FirstOrDefault();
            using var socket = await context.WebSockets.AcceptWebSocketAsync(protocol);
            var buffer = new byte[65536];
            while (true)
            {
                var message = await socket.ReceiveAsync(new ArraySegment<byte>(buffer), CancellationToken.None);
                if (message.MessageType == WebSocketMessageType.Close)
                {
                    await Close(socket, message.CloseStatus ?? WebSocketCloseStatus.Empty, message.CloseStatusDescription);
                    return;
                }
                var text = message.MessageType == WebSocketMessageType.Text
                    ? Encoding.UTF8.GetString(buffer, 0, message.Count).Split(' ', 3)
                    : new string[0];
                if (text.Length == 3 && text[0] == "close")
                {
                    await Close(socket, (WebSocketCloseStatus)int.Parse(text[1]), text[2]);
                    return;
                }
                await socket.SendAsync(new ArraySegment<byte>(buffer, 0, message.Count),
                    message.MessageType, message.EndOfMessage, CancellationToken.None);
            }
        }

        private static Task Close(WebSocket socket, WebSocketCloseStatus status, string reason) =>
            socket.CloseAsync(status, status == WebSocketCloseStatus.Empty ? null : reason, CancellationToken.None);
    }
}

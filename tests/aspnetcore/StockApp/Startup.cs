using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;

namespace StockApp
{
    public class Startup
    {
        public void Configure(IApplicationBuilder app)
        {
            app.UseWebSockets();
            app.UseRouting();
            app.UseEndpoints(endpoints =>
            {
                endpoints.Map("/env", Reports.Env);
                endpoints.Map("/client-cert", Reports.ClientCertificate);

                endpoints.Map("/upload", Streams.Upload);
                endpoints.Map("/download", Streams.Download);
                endpoints.Map("/duplex", Streams.Duplex);
                endpoints.Map("/gzip", Streams.Gzip);
                endpoints.Map("/sse", Streams.ServerSentEvents);
                endpoints.Map("/gate/{name}", Streams.OpenGate);
                endpoints.Map("/trailers", Streams.Trailers);
                endpoints.Map("/ws", Sockets.Echo);
                endpoints.Map("/ancm.Test/{method}", Grpc.Call);

                endpoints.Map("/status/{code:int}", Answers.Status);
                endpoints.Map("/headers", Answers.Headers);
                endpoints.Map("/slow", Answers.Slow);
                endpoints.Map("/hang/{name}", Answers.Hang);
                endpoints.Map("/hang/{name}/began", Answers.HangBegan);
                endpoints.Map("/hang/{name}/ended", Answers.HangEnded);
                endpoints.Map("/abort", Answers.Abort);
                endpoints.Map("/stdout", Answers.WriteOut);
                endpoints.Map("/exit", Answers.Exit);
                endpoints.Map("/crash", Answers.Crash);

                // Whatever else is asked for is told back.
                endpoints.Map("/{**path}", Reports.Echo);
            });
        }
    }
}

import java.io.File;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import org.apache.commons.net.ftp.FTP;
import org.apache.commons.net.ftp.FTPClient;
import org.apache.commons.net.ftp.FTPFile;
import org.apache.commons.net.ftp.FTPReply;

/** Jobs of Apache Commons Net, chosen by name: java CommonsNet host port mode job [arguments]. */
public class CommonsNet {
    private final FTPClient ftp = new FTPClient();

    public static void main(String[] words) throws Exception {
        CommonsNet client = new CommonsNet();
        client.login(words[0], Integer.parseInt(words[1]), words[2]);
        switch (words[3]) {
            case "both-ways" -> client.bothWays(words[4], words[5], words[6]);
            case "listings" -> client.listings(words[4]);
            case "changes" -> client.changes();
            case "going-on" -> client.goingOn();
            case "text" -> client.text();
            default -> throw new IllegalArgumentException(words[3]);
        }
        client.must(client.ftp.logout(), "logout");
        client.ftp.disconnect();
    }

    private void login(String host, int port, String mode) throws IOException {
        ftp.setControlEncoding("UTF-8");
        ftp.setConnectTimeout(20_000);
        ftp.setDefaultTimeout(20_000);
        ftp.setDataTimeout(java.time.Duration.ofSeconds(20));
        ftp.connect(host, port);
        must(FTPReply.isPositiveCompletion(ftp.getReplyCode()), "greeting");
        must(ftp.login("demo", "demo"), "login");
        must(ftp.setFileType(FTP.BINARY_FILE_TYPE), "type");
        if (mode.startsWith("passive")) {
            ftp.enterLocalPassiveMode();
        }
        ftp.setUseEPSVwithIPv4(mode.equals("passive-extended"));
    }

    private void must(boolean true_, String what) throws IOException {
        if (!true_) {
            throw new IOException(what + ": " + ftp.getReplyString());
        }
    }

    /** Stores every file of a directory, and retrieves it into another. */
    private void bothWays(String here, String there, String back) throws IOException {
        must(ftp.makeDirectory(there), "mkd");
        must(ftp.changeWorkingDirectory(there), "cwd");
        for (File file : new File(here).listFiles()) {
            try (InputStream in = new FileInputStream(file)) {
                must(ftp.storeFile(file.getName(), in), file.getName());
            }
        }
        for (FTPFile file : ftp.mlistDir()) {
            if (file.isFile()) {
                try (OutputStream out = new FileOutputStream(new File(back, file.getName()))) {
                    must(ftp.retrieveFile(file.getName(), out), file.getName());
                }
            }
        }
    }

    private void listings(String directory) throws IOException {
        print("list", ftp.listFiles(directory));
        ftp.setListHiddenFiles(true);
        print("all", ftp.listFiles(directory));
        print("mlsd", ftp.mlistDir(directory));
        print("mlst", ftp.mlistFile(directory + "/a b"));
        for (String name : ftp.listNames(directory)) {
            System.out.println("names|" + name);
        }
        for (String feature : "MLST SIZE MDTM UTF8 EPSV EPRT".split(" ")) {
            must(ftp.hasFeature(feature), feature);
        }
        must(ftp.hasFeature("REST", "STREAM"), "REST STREAM");
        must(ftp.getSystemType().startsWith("UNIX"), "syst");
        System.out.println("size|" + ftp.getSize(directory + "/a b"));
        System.out.println("time|" + ftp.getModificationTime(directory + "/a b"));
    }

    private void print(String kind, FTPFile... files) {
        for (FTPFile file : files) {
            String type = file.isDirectory() ? "dir" : "file";
            long time = file.getTimestamp().toInstant().getEpochSecond();
            System.out.printf("%s|%s|%s|%d|%d%n", kind, file.getName(), type, file.getSize(), time);
        }
    }

    private void changes() throws IOException {
        must(ftp.rename("one", "two"), "rename");
        must(ftp.deleteFile("gone"), "delete");
        must(ftp.removeDirectory("empty"), "rmd");
        must(ftp.makeDirectory("a b"), "mkd");
        must(ftp.changeWorkingDirectory("a b"), "cwd");
        must(ftp.printWorkingDirectory().equals("/a b"), "pwd");
        must(ftp.changeToParentDirectory(), "cdup");
        must(ftp.setModificationTime("two", "20200102030405"), "mfmt");
        must(ftp.sendSiteCommand("CHMOD 600 two"), "chmod");
        must(ftp.sendNoOp() && ftp.listHelp() != null && ftp.getStatus() != null, "noop, help, stat");
        must(!ftp.deleteFile("missing") && ftp.getReplyCode() == 550, "delete");
        must(!ftp.rename("missing", "x") && ftp.getReplyCode() == 550, "rename");
        must(!ftp.removeDirectory("full") && ftp.getReplyCode() == 550, "rmd");
        must(ftp.retrieveFileStream("missing") == null && ftp.getReplyCode() == 550, "retr");
        must(ftp.abort(), "abort");
        must(ftp.reinitialize() && ftp.login("demo", "demo"), "reinitialize");
    }

    private void goingOn() throws IOException {
        try (OutputStream out = new FileOutputStream("data", true)) {
            ftp.setRestartOffset(new File("data").length());
            must(ftp.retrieveFile("data", out), "retrieve");
        }
        try (InputStream in = new FileInputStream("whole")) {
            long size = Long.parseLong(ftp.getSize("whole"));
            in.skipNBytes(size);
            ftp.setRestartOffset(size);
            must(ftp.storeFile("whole", in), "store");
        }
        for (int turn = 0; turn < 2; turn++) {
            try (InputStream in = new FileInputStream("tail")) {
                must(ftp.appendFile("tail", in), "append");
            }
            try (InputStream in = new FileInputStream("tail")) {
                must(ftp.storeUniqueFile("unique", in), "store unique");
            }
        }
        try (InputStream in = ftp.retrieveFileStream("data")) {
            must(in.readNBytes(1000).length == 1000, "read");
            ftp.abort(); // is told of the transfer; its own reply comes next
        }
        must(ftp.completePendingCommand() || ftp.getReplyCode() / 100 == 2, "after abort");
    }

    private void text() throws IOException {
        must(ftp.setFileType(FTP.ASCII_FILE_TYPE), "type");
        try (InputStream in = new FileInputStream("text")) {
            must(ftp.storeFile("text", in), "store");
        }
        try (OutputStream out = new FileOutputStream("back")) {
            must(ftp.retrieveFile("text", out), "retrieve");
        }
    }
}
